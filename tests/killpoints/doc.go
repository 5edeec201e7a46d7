// Package killpoints has workers die at every labelled step of their side of the bridge
// (pyhost/steps.h), one after the other, in each host. A build with the tag killpoints ends
// the worker there with SIGKILL; the storm's clients have sent requests before, and go on
// sending behind, and its account must be even: each request answered exactly once, 502 or
// a cut answer only for what that worker had begun, a new worker in its place, no stream in
// use afterwards.
package killpoints

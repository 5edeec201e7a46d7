// Package imports holds the tests of how the repository's packages hang together.
//
// A request walks one way, cmd → protocol → bridge → pyhost, and a package may only
// import what lies further along that way. Otherwise a codec could reach for the
// shared memory, or the host for a setting, and neither could be tested or changed
// alone.
package imports

// Preload measures what a template is good for, on the Django example: how soon a worker
// that was killed is back, and how much memory one more worker takes, with preload and
// without. It ends with code 1 when that is not what the project promises: back within
// 20 ms (without preload: within the time of the import and 20 ms), and at most a quarter
// of the memory that a worker takes that has imported the application itself.
package main

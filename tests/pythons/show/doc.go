// Command show prints what the interpreters in some lists are.
//
//	show LIST...
package main

// Command slow measures what slow clients cost the others (make slow-clients).
//
// Some clients ask for small answers as fast as they can; first alone, then beside thousands
// that send a byte a second of a head or of a body, or take a byte a second of an answer of
// a megabyte, then alone again, and so on. It fails when the quick ones get a tenth less than alone, one
// of their requests fails, or the front's memory grows beyond its budget.
package main

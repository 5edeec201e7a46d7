// Package scripts tests what the scripts refuse: a stage that cannot fail shows nothing.
package scripts

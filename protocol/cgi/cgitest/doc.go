// Package cgitest has what the tests of the protocols share whose requests are variables.
package cgitest

// Package certs makes certificates for tests: an authority, and what it signs.
package certs

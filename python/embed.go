package python

import _ "embed"

// Helper is the source of the module _gobridge.
//
//go:embed _gobridge.py
var Helper []byte

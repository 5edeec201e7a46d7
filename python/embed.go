package python

import _ "embed"

//go:embed _gobridge.py
var gobridge string

//go:embed _gobridge_preload.py
var preload string

//go:embed _gobridge_evidence.py
var evidence string

//go:embed _gobridge_asgi.py
var asgi string

// Helper is the sources of the helper's modules as the zygote wants them: of each its
// name and its text, both ended by a NUL.
var Helper = []byte("_gobridge\x00" + gobridge + "\x00_gobridge_preload\x00" + preload + "\x00_gobridge_evidence\x00" + evidence + "\x00" +
	"_gobridge_asgi\x00" + asgi + "\x00")

package pyhost

// The segment's layout as Go sees it. layout.h is the definition and says who
// writes what; layout_test.go compares every size and offset with it.

// Constants of layout.h.
const (
	Magic         = 0x6567646972626f67
	LayoutVersion = 4

	MaxWorkers  = 257
	MaxReactors = 8
	MaxStreams  = 65536

	// Reactor.Sleeping
	Awake    = 0
	Asleep   = 1
	Dozing   = 2
	Watching = 3

	// directions of news
	ToFront  = 0
	ToWorker = 1

	// states of a stream
	StateFree    = 0
	StateQueued  = 1
	StateRunning = 2
	StateDone    = 3

	StateShift       = 60
	IncarnationShift = 36
	IncarnationMask  = 1<<24 - 1
	SequenceMask     = 1<<36 - 1

	// Stream.Front
	BodyEnd    = 1
	Closed     = 2
	Left       = 4
	BodyPassed = 8

	// Stream.Outcome
	OutcomeFinished = 0
	OutcomeAborted  = 1

	// Pipe.WriterWaits, Pipe.ReaderWaits
	WaitsNot  = 0
	WaitsBell = 1
	WaitsNews = 2
	WaitsFile = 3

	// RequestHead.Flags
	RequestHEAD      = 1
	RequestHTTP10    = 2
	RequestExpect    = 4
	RequestSpooled   = 8
	RequestWebSocket = 16
	RequestTrailers  = 32
	RequestGateway   = 64
	RequestTLS       = 128

	// the first variables of an ASGI head, in this order
	ScopeMethod       = 0
	ScopeRoot         = 1
	ScopePath         = 2
	ScopeRawPath      = 3
	ScopeQuery        = 4
	ScopeVersion      = 5
	ScopeScheme       = 6
	ScopeClient       = 7
	ScopeClientPort   = 8
	ScopeServer       = 9
	ScopeServerPort   = 10
	ScopeRequestID    = 11
	ScopeVariables    = 12
	RequestIDVariable = "gobridge.request_id" // GB_REQUEST_ID

	LengthUnknown   = 1<<64 - 1
	MaxRequestHead  = 1 << 20
	MaxResponseHead = 1 << 20

	// Record.Kind
	RecordHead     = 1
	RecordBody     = 2
	RecordFile     = 3
	RecordHints    = 4
	RecordAccept   = 5
	RecordText     = 6
	RecordBinary   = 7
	RecordClose    = 8
	RecordTrailers = 9
	RecordMore     = 0x100 // a flag of RecordText and RecordBinary

	// ResponseHead.Flags
	HeadDate   = 1
	HeadServer = 2
	HeadClose  = 4
)

// Sizes of what the pipes carry, in bytes.
const (
	RequestHeadSize  = 16
	VariableSize     = 8
	RecordSize       = 8
	ResponseHeadSize = 24
	LineSize         = 8
	FileSize         = 16
	CloseSize        = 2
)

// Header is struct gb_header.
type Header struct {
	Magic        uint64
	Version      uint32
	HeaderSize   uint32
	Size         uint64
	Workers      uint32
	Reactors     uint32
	Streams      uint32
	PipeSize     uint32
	InboxEntries uint32
	SummaryWords uint32
	SpinNS       uint32
	_            uint32
	ReactorsAt   uint64
	WorkersAt    uint64
	WorkerStride uint64
	NewsAt       uint64
	NewsStride   uint64
	StreamsAt    uint64
	PipesAt      uint64
}

// Reactor is struct gb_reactor.
type Reactor struct {
	Sleeping uint32
	_        [15]uint32
}

// Hint is struct gb_hint.
type Hint struct {
	Word   uint64
	Stream uint32
	_      uint32
}

// Worker is struct gb_worker without its inbox, which follows it.
type Worker struct {
	Incarnation uint32
	Put         uint32
	_           [14]uint32
	Taken       uint32
	Sleeping    uint32
	Pace        uint32
	_           [13]uint32
}

// Pipe is struct gb_pipe.
type Pipe struct {
	Written     uint64
	WriterWaits uint32
	_           [13]uint32
	Read        uint32
	ReaderWaits uint32
	_           [14]uint32
}

// Stream is struct gb_stream.
type Stream struct {
	Word     uint64
	Reactor  uint32
	Front    uint32
	Bell     uint32
	_        [11]uint32
	Outcome  uint32
	_        [15]uint32
	Request  Pipe
	Response Pipe
}

// Word builds a stream's word.
func Word(state, incarnation uint32, sequence uint64) uint64 {
	return uint64(state)<<StateShift | uint64(incarnation&IncarnationMask)<<IncarnationShift | sequence&SequenceMask
}

// WordState is the state in a stream's word.
func WordState(word uint64) uint32 { return uint32(word >> StateShift) }

// WordIncarnation is the worker incarnation in a stream's word.
func WordIncarnation(word uint64) uint32 { return uint32(word>>IncarnationShift) & IncarnationMask }

// WordSequence is the sequence in a stream's word.
func WordSequence(word uint64) uint64 { return word & SequenceMask }

package pyhost

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The structs of layout.h and their twins here.
var twins = []struct {
	c    string
	size uintptr
	go_  any // nil: Go reads the bytes without a struct
}{
	{"gb_header", 0, Header{}},
	{"gb_reactor", 0, Reactor{}},
	{"gb_hint", 0, Hint{}},
	{"gb_worker", 0, Worker{}},
	{"gb_pipe", 0, Pipe{}},
	{"gb_stream", 0, Stream{}},
	{"gb_request_head", RequestHeadSize, nil},
	{"gb_variable", VariableSize, nil},
	{"gb_record", RecordSize, nil},
	{"gb_response_head", ResponseHeadSize, nil},
	{"gb_line", LineSize, nil},
	{"gb_file", FileSize, nil},
	{"gb_close", CloseSize, nil},
	{"gb_message", MessageSize, nil},
}

// The constants of layout.h and control.h and their twins here.
var constants = map[string]uint64{
	"GB_MAGIC": Magic, "GB_LAYOUT_VERSION": LayoutVersion, "GB_MAX_WORKERS": MaxWorkers, "GB_MAX_REACTORS": MaxReactors,
	"GB_MAX_STREAMS": MaxStreams, "GB_AWAKE": Awake, "GB_ASLEEP": Asleep, "GB_DOZING": Dozing, "GB_WATCHING": Watching, "GB_TO_FRONT": ToFront,
	"GB_TO_WORKER": ToWorker, "GB_FREE": StateFree, "GB_QUEUED": StateQueued, "GB_RUNNING": StateRunning, "GB_DONE": StateDone,
	"GB_STATE_SHIFT": StateShift, "GB_INCARNATION_SHIFT": IncarnationShift, "GB_INCARNATION_MASK": IncarnationMask,
	"GB_SEQUENCE_MASK": SequenceMask, "GB_BODY_END": BodyEnd, "GB_CLOSED": Closed, "GB_LEFT": Left, "GB_BODY_PASSED": BodyPassed, "GB_INTERFACE_WSGI": InterfaceWSGI, "GB_INTERFACE_ASGI": InterfaceASGI,
	"GB_SCOPE_METHOD": ScopeMethod, "GB_SCOPE_ROOT": ScopeRoot, "GB_SCOPE_PATH": ScopePath, "GB_SCOPE_RAW_PATH": ScopeRawPath, "GB_SCOPE_QUERY": ScopeQuery,
	"GB_SCOPE_VERSION": ScopeVersion, "GB_SCOPE_SCHEME": ScopeScheme, "GB_SCOPE_CLIENT": ScopeClient, "GB_SCOPE_CLIENT_PORT": ScopeClientPort,
	"GB_SCOPE_SERVER": ScopeServer, "GB_SCOPE_SERVER_PORT": ScopeServerPort, "GB_SCOPE_REQUEST_ID": ScopeRequestID, "GB_SCOPE_VARIABLES": ScopeVariables,
	"GB_FINISHED": OutcomeFinished,
	"GB_ABORTED":  OutcomeAborted, "GB_WAITS_NOT": WaitsNot, "GB_WAITS_BELL": WaitsBell, "GB_WAITS_NEWS": WaitsNews, "GB_WAITS_FILE": WaitsFile,
	"GB_REQUEST_HEAD": RequestHEAD, "GB_REQUEST_HTTP10": RequestHTTP10, "GB_REQUEST_EXPECT": RequestExpect, "GB_REQUEST_SPOOLED": RequestSpooled, "GB_REQUEST_WEBSOCKET": RequestWebSocket, "GB_REQUEST_GATEWAY": RequestGateway, "GB_REQUEST_TRAILERS": RequestTrailers, "GB_REQUEST_TLS": RequestTLS,
	"GB_LENGTH_UNKNOWN": LengthUnknown, "GB_MAX_REQUEST_HEAD": MaxRequestHead, "GB_MAX_RESPONSE_HEAD": MaxResponseHead,
	"GB_RECORD_HEAD": RecordHead, "GB_RECORD_BODY": RecordBody, "GB_RECORD_FILE": RecordFile, "GB_RECORD_HINTS": RecordHints, "GB_RECORD_ACCEPT": RecordAccept, "GB_RECORD_TEXT": RecordText, "GB_RECORD_BINARY": RecordBinary,
	"GB_RECORD_CLOSE": RecordClose, "GB_RECORD_TRAILERS": RecordTrailers, "GB_RECORD_MORE": RecordMore, "GB_HEAD_DATE": HeadDate, "GB_HEAD_SERVER": HeadServer, "GB_HEAD_CLOSE": HeadClose,
	"GB_MSG_BOOT": MsgBoot, "GB_MSG_SPAWN": MsgSpawn, "GB_MSG_SETUP": MsgSetup, "GB_MSG_DRAIN": MsgDrain, "GB_MSG_STOPPING": MsgStopping,
	"GB_MSG_BOOTED": MsgBooted, "GB_MSG_HELLO": MsgHello, "GB_MSG_READY": MsgReady, "GB_MSG_FAILED": MsgFailed,
	"GB_MSG_SPAWNED": MsgSpawned, "GB_MSG_TEMPLATE": MsgTemplate, "GB_MSG_IMPORTED": MsgImported, "GB_MSG_FILE": MsgFile, "GB_MSG_LEAVING": MsgLeaving,
	"GB_MSG_STACKS": MsgStacks, "GB_MSG_BODY": MsgBody, "GB_MSG_STACKED": MsgStacked,
	"GB_MAX_MESSAGE": MaxMessage, "GB_MAX_DESCRIPTORS": MaxDescriptors,
}

// The name is the header's.
func TestRequestIDVariable(t *testing.T) {
	header, err := os.ReadFile("layout.h")
	if err != nil || !strings.Contains(string(header), "#define GB_REQUEST_ID "+strconv.Quote(RequestIDVariable)+"\n") {
		t.Errorf("layout.h has another name than %s (%v)", RequestIDVariable, err)
	}
}

// TestLayout compiles a program that prints what the C compiler makes of the headers,
// and compares each line with what Go makes of its twins.
func TestLayout(t *testing.T) {
	var program, want strings.Builder
	program.WriteString("#include <stddef.h>\n#include <stdio.h>\n#include \"layout.h\"\n#include \"control.h\"\nint main(void) {\n")
	line := func(c string, value uint64) {
		fmt.Fprintf(&program, "printf(\"%%s %%llu\\n\", %q, (unsigned long long)(%s));\n", c, c)
		fmt.Fprintf(&want, "%s %d\n", c, value)
	}
	for _, twin := range twins {
		if twin.go_ == nil {
			line("sizeof(struct "+twin.c+")", uint64(twin.size))
			continue
		}
		typ := reflect.TypeOf(twin.go_)
		line("sizeof(struct "+twin.c+")", uint64(typ.Size()))
		for i := range typ.NumField() {
			if f := typ.Field(i); f.Name != "_" {
				line(fmt.Sprintf("offsetof(struct %s, %s)", twin.c, snake(f.Name)), uint64(f.Offset))
			}
		}
	}
	for name, value := range constants {
		line(name, value)
	}
	program.WriteString("}\n")
	if got := compileAndRun(t, program.String()); got != want.String() {
		t.Errorf("layout.h says\n%s\nand Go says\n%s", got, want.String())
	}
}

// TestConstants finds constants of the headers that have no twin.
func TestConstants(t *testing.T) {
	onlyC := map[string]bool{"GB_MIN_PIPE": true, "GB_MAX_PIPE": true, "GB_MAX_INBOX": true, "GB_MAX_SPIN_NS": true, "GB_HOST_FD_VARIABLE": true, "GB_REQUEST_ID": true}
	for _, name := range []string{"layout.h", "control.h"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range constant.FindAllStringSubmatch(string(text), -1) {
			if _, ok := constants[m[1]]; !ok && !onlyC[m[1]] {
				t.Errorf("%s: %s has no twin in layout.go or message.go", name, m[1])
			}
		}
	}
}

// TestMessagesAreDistinct: two kinds that were added at the same time may have got one number.
func TestMessagesAreDistinct(t *testing.T) {
	names := map[uint64]string{}
	for name, kind := range constants {
		if !strings.HasPrefix(name, "GB_MSG_") {
			continue
		}
		if other, taken := names[kind]; taken {
			t.Errorf("%s and %s are both %d", name, other, kind)
		}
		names[kind] = name
	}
}

var constant = regexp.MustCompile(`(?m)^(?:\s+|#define )(GB_[A-Z0-9_]+)(?: =| \S)`)

var inner = regexp.MustCompile(`([a-z])([A-Z])`)

func snake(name string) string { return strings.ToLower(inner.ReplaceAllString(name, "${1}_$2")) }

func compileAndRun(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "layout.c"), filepath.Join(dir, "layout")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-std=gnu11", "-I", here, "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, out)
	}
	out, err := exec.Command(binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

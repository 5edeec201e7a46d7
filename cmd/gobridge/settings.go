package main

import (
	"strconv"
	"strings"
	"time"

	"gobridge/bridge"
	"gobridge/pyhost"
)

// settings is what a run is told, checked and with "auto" resolved to 0 where that
// is the way to say it below.
type settings struct {
	application string

	bind  []string
	chmod int    // mode of unix sockets
	chown string // owner and group of them; empty: the process's

	certFile, keyFile, caFile string
	certReqs                  string

	chdir    string
	logLevel string
	access   string

	workers  int // 0: auto
	threads  int
	preload  string
	iface    string
	loop     string
	lifespan string
	pathsend string
	reactors int // 0: auto
	spin     string

	python, venv string
	host         string

	requestLine, head, fields, fieldSize int
	body                                 int64
	connections                          int
	perAddress, concurrency, backlog     int
	buffer, memory                       int64 // memory 0: auto
	spoolDir                             string
	bodyRate, sendRate                   int64

	headTimeout, bodyTimeout, sendTimeout, idleTimeout time.Duration
	queueTimeout, startTimeout, gracefulTimeout        time.Duration
	requestTimeout, slowRequest                        time.Duration
	drainDelay                                         time.Duration

	wsSize         int64
	wsQueue        int
	wsPing, wsPong time.Duration
	wsDeflate      string

	forwardedAllow, forwardedHeaders       []string
	proxyProtocol                          string
	proxyAllow                             []string
	uwsgiAllow, fastcgiAllow, scgiAllow    []string
	rootPath                               string
	headers                                []string
	requestID                              string
	noServer, noDate                       bool
	headerMap                              string
	maxRequests, maxRequestsJitter         int
	maxWorkerLifetime, maxWorkerLifeJitter time.Duration
	maxWorkerMemory, maxWorkerMemoryJitter int64

	control string // path of its socket, controlOff, or "" for the private folder's
	touches []string

	wait       time.Duration // of reload, for its outcome
	stuckAfter time.Duration // of status; 0: it does not look for that

	asked asked // of request
}

// setting is one row of the table.
type setting struct {
	name    string
	short   string // one letter, or ""
	initial string // the default, as one would write it; "" for none
	kind    kind
	help    string
	into    func(*settings) any // where the value goes; its type is the kind's
}

// table is the only source of the settings' names, environment variables, types,
// units, allowed values, defaults and help. Its order is the order of the help.
var table = []setting{
	{"bind", "b", "127.0.0.1:8000", addresses, "address to serve HTTP/1.1 on, or uwsgi, FastCGI or SCGI; may be given several times",
		func(s *settings) any { return &s.bind }},
	{"chmod-socket", "", "666", socketMode, "who may connect to the unix sockets of --bind: the mode of their files",
		func(s *settings) any { return &s.chmod }},
	{"chown-socket", "", "", socketOwner, "to whom the files of these sockets belong; default: to the process",
		func(s *settings) any { return &s.chown }},
	{"certfile", "", "", text("FILE"), "certificate of the https: and suwsgi: addresses, in PEM, with the chain behind it",
		func(s *settings) any { return &s.certFile }},
	{"keyfile", "", "", text("FILE"), "its private key, in PEM; default: it is in --certfile, too",
		func(s *settings) any { return &s.keyFile }},
	{"ca-certs", "", "", text("FILE"), "certificates, in PEM, by which those of clients must be signed",
		func(s *settings) any { return &s.caFile }},
	{"cert-reqs", "", certNone, certReqs, "certificates of clients: none is asked for, one is looked at if there is one, or each must have one (as Python's ssl numbers them: 0, 1, 2)",
		func(s *settings) any { return &s.certReqs }},
	{"workers", "w", "auto", number(1, bridge.MaxWorkers).orAuto(), "worker processes; auto: one for each CPU that the cgroup and the affinity mask allow",
		func(s *settings) any { return &s.workers }},
	{"threads", "t", "1", number(1, 1024), "requests that each worker runs at once, each in its own thread; of an ASGI application, event loops, in a Python without a GIL",
		func(s *settings) any { return &s.threads }},
	{"interface", "", "auto", choice(bridge.Interfaces...), "how the application is called; auto: told by its signature",
		func(s *settings) any { return &s.iface }},
	{"loop", "", "auto", choice(bridge.Loops...), "event loop of ASGI workers; auto: uvloop if the application's environment has it, else asyncio",
		func(s *settings) any { return &s.loop }},
	{"lifespan", "", "auto", choice(bridge.Lifespans...), "tell an ASGI application of its start and end; auto: unless it raises an exception; on: it must not",
		func(s *settings) any { return &s.lifespan }},
	{"pathsend", "", "on", choice("on", "off"), "let ASGI applications hand files over to be sent (http.response.pathsend, http.response.zerocopysend); off: for a middleware that compresses files, or does not know these messages",
		func(s *settings) any { return &s.pathsend }},
	{"preload", "", string(bridge.PreloadAuto), choice(bridge.Preloads()...), "import the application once and fork the workers from it; auto: unless the import leaves something behind that a fork would break",
		func(s *settings) any { return &s.preload }},
	{"reactors", "", "auto", number(1, pyhost.MaxReactors).orAuto(), "threads that serve the connections; auto: one for every 8 CPUs",
		func(s *settings) any { return &s.reactors }},
	{"spin", "", spinAuto, choice(spinAuto, spinOn, spinOff), "look for the next request for some microseconds before sleeping, when one comes at a time; auto: with two CPUs or more, and no CPU quota",
		func(s *settings) any { return &s.spin }},
	{"python", "", "", text("PATH"), "interpreter to use, a path or a name on PATH; default: the virtual environment's, else python3 on PATH",
		func(s *settings) any { return &s.python }},
	{"venv", "", "", text("DIR"), "virtual environment to use; default: VIRTUAL_ENV, else .venv in the application's folder",
		func(s *settings) any { return &s.venv }},
	{"host", "", string(pyhost.HostAuto), choice(pyhost.Hosts()...), "how Python is hosted: in gobridge's own executable (embedded) or in the interpreter's (interpreter)",
		func(s *settings) any { return &s.host }},
	{"chdir", "C", "", text("DIR"), "the application's folder: it is imported from there and runs there; default: the current one",
		func(s *settings) any { return &s.chdir }},
	{"log-level", "", "info", choice("debug", "info", "warn", "error"), "least severity that is logged",
		func(s *settings) any { return &s.logLevel }},
	{"access-log", "", "", text("FILE"), "file to which a line for each request is appended, - for standard output; default: none",
		func(s *settings) any { return &s.access }},

	{"limit-request-line", "", "8K", size(256, 256<<10), "longest request line; longer ones get 414",
		func(s *settings) any { return &s.requestLine }},
	{"limit-request-head", "", "64K", size(1024, 256<<10), "longest request head, request line and all fields; longer ones get 431",
		func(s *settings) any { return &s.head }},
	{"limit-request-fields", "", "100", number(1, 10000), "most header fields of a request; more get 431",
		func(s *settings) any { return &s.fields }},
	{"limit-request-field-size", "", "16K", size(256, 1<<20), "longest header field, name and value; longer ones get 431",
		func(s *settings) any { return &s.fieldSize }},
	{"limit-request-body", "", "off", size(0, 1<<62).orOff(), "longest request body; longer ones get 413",
		func(s *settings) any { return &s.body }},
	{"buffer-request", "", "64K", size(4<<10, 1<<30).orOff(), "take request bodies in before a worker is given the request: so much of each in memory, longer ones in a file; off: the application gets them as they come",
		func(s *settings) any { return &s.buffer }},
	{"spool-dir", "", "", text("DIR"), "folder for the bodies that are too long for memory; default: TMPDIR, else /var/tmp, else /tmp",
		func(s *settings) any { return &s.spoolDir }},
	{"memory-budget", "", "auto", size(leastBudget, 1<<40).orAuto(), "memory for what clients have sent or are sent: one half for parts of heads and for bodies, the other for what workers have; auto: 512M, or a quarter of the memory that the cgroup allows if that is less",
		func(s *settings) any { return &s.memory }},
	{"limit-connections", "", "10000", number(1, 1<<20), "most client connections at once; more wait to be accepted",
		func(s *settings) any { return &s.connections }},
	{"limit-connections-per-address", "", "off", number(1, 1<<20).orOff(), "most connections of one client's address (in IPv6 of one /64); more are closed. Not of proxies that are trusted, nor by unix sockets",
		func(s *settings) any { return &s.perAddress }},
	{"limit-concurrency", "", "off", number(1, 1<<20).orOff(), "most requests that wait, run or are being answered at once; more get 503 with Retry-After",
		func(s *settings) any { return &s.concurrency }},
	{"backlog", "", "2048", number(1, 65535), "connections that the kernel keeps until they are accepted, for each address",
		func(s *settings) any { return &s.backlog }},

	{"head-timeout", "", "20s", span, "for a request head to arrive, from its first byte; then 408",
		func(s *settings) any { return &s.headTimeout }},
	{"body-timeout", "", "30s", span.orOff(), "for the next bytes of a request body to arrive; then 408",
		func(s *settings) any { return &s.bodyTimeout }},
	{"body-min-rate", "", "500", size(1, 1<<30).orOff(), "bytes a second that a client must send of a request body, on average over --body-timeout; then 408",
		func(s *settings) any { return &s.bodyRate }},
	{"send-min-rate", "", "500", size(1, 1<<30).orOff(), "bytes a second that a client must take of an answer, on average over --send-timeout; then it is cut",
		func(s *settings) any { return &s.sendRate }},
	{"send-timeout", "", "60s", span.orOff(), "for a client to take the next bytes of an answer; then it is cut",
		func(s *settings) any { return &s.sendTimeout }},
	{"timeout-keep-alive", "", "75s", span.orOff(), "for the next request on a connection; then it is closed",
		func(s *settings) any { return &s.idleTimeout }},
	{"queue-timeout", "", "60s", span.orOff(), "for a worker to begin a request; then 503 with Retry-After",
		func(s *settings) any { return &s.queueTimeout }},
	{"request-timeout", "", "off", span.orOff(), "for a worker to run a request; then 504, and the worker is replaced",
		func(s *settings) any { return &s.requestTimeout }},
	{"slow-request", "", "off", span.orOff(), "for a worker to run a request; then the log says where it is, and it goes on",
		func(s *settings) any { return &s.slowRequest }},
	{"start-timeout", "", "2m", span.orOff(), "for a worker to import the application; then it is killed",
		func(s *settings) any { return &s.startTimeout }},
	{"graceful-timeout", "", "30s", span.orOff(), "for what is running to finish after SIGTERM or SIGINT, or on the old code after a reload; then it is cut",
		func(s *settings) any { return &s.gracefulTimeout }},
	{"drain-delay", "", "off", span.orOff(), "to serve on after SIGTERM or SIGINT, before --graceful-timeout begins, so that a load balancer can notice",
		func(s *settings) any { return &s.drainDelay }},

	{"ws-max-size", "", "16M", size(1, 1<<40).orOff(), "longest message of a WebSocket's client, inflated; longer ones end it with 1009",
		func(s *settings) any { return &s.wsSize }},
	{"ws-max-queue", "", "32", number(1, 1024).orOff(), "messages of a WebSocket's client that wait for the application; then no more are read from the client",
		func(s *settings) any { return &s.wsQueue }},
	{"ws-ping-interval", "", "20s", span.orOff(), "time between two pings to a WebSocket's client",
		func(s *settings) any { return &s.wsPing }},
	{"ws-ping-timeout", "", "20s", span.orOff(), "for something to come from a WebSocket's client after a ping; then it is ended with 1011",
		func(s *settings) any { return &s.wsPong }},
	{"ws-per-message-deflate", "", "on", choice("on", "off"), "compress messages of WebSockets with clients that offer it (permessage-deflate)",
		func(s *settings) any { return &s.wsDeflate }},

	{"forwarded-allow-ips", "", "127.0.0.1,::1,unix", peers, "peers that are trusted as proxies: what their headers say of a client counts, and from others such headers are taken out",
		func(s *settings) any { return &s.forwardedAllow }},
	{"forwarded-headers", "", "x-forwarded-for,x-forwarded-proto", believed, "headers that the trusted proxies set themselves, whatever a client sends; only these count",
		func(s *settings) any { return &s.forwardedHeaders }},
	{"proxy-protocol", "", "off", choice("off", "v1", "v2", "auto"), "PROXY protocol header that connections from --proxy-allow-from must begin with; auto: of either version",
		func(s *settings) any { return &s.proxyProtocol }},
	{"proxy-allow-from", "", "127.0.0.1,::1,unix", peers, "peers that speak the PROXY protocol, if it is on; others speak HTTP",
		func(s *settings) any { return &s.proxyAllow }},
	{"uwsgi-allow-ips", "", "127.0.0.1,::1,unix", peers, "web servers that may speak the uwsgi protocol, and are believed what they say of their clients; others get 403",
		func(s *settings) any { return &s.uwsgiAllow }},
	{"fastcgi-allow-ips", "", "127.0.0.1,::1,unix", peers, "web servers that may speak FastCGI, like --uwsgi-allow-ips",
		func(s *settings) any { return &s.fastcgiAllow }},
	{"scgi-allow-ips", "", "127.0.0.1,::1,unix", peers, "web servers that may speak SCGI, like --uwsgi-allow-ips",
		func(s *settings) any { return &s.scgiAllow }},
	{"root-path", "", "", mount, "path under which the application is mounted: its SCRIPT_NAME; default: the top",
		func(s *settings) any { return &s.rootPath }},
	{"header-map", "", "drop", choice("drop", "refuse"), "what to do with a request's headers whose name has an underscore, and could be taken for another one: leave them out, or answer 400",
		func(s *settings) any { return &s.headerMap }},
	{"request-id-header", "", "off", idHeader.word("off", ""), "header with a request's id, like X-Request-ID: taken from the client if it is well-formed, else made; it is in the environ, in wsgi.errors and in the access log",
		func(s *settings) any { return &s.requestID }},
	{"header", "", "", extraHeader, "header for every answer that has none of that name; may be given several times",
		func(s *settings) any { return &s.headers }},
	{"no-server-header", "", "false", yes, "send no Server header, unless the application sets one",
		func(s *settings) any { return &s.noServer }},
	{"no-date-header", "", "false", yes, "send no Date header, unless the application sets one",
		func(s *settings) any { return &s.noDate }},
	{"max-requests", "", "off", number(1, 1e9).orOff(), "requests that a worker serves; then another one takes its place",
		func(s *settings) any { return &s.maxRequests }},
	{"max-requests-jitter", "", "off", number(1, 1e9).orOff(), "adds a random number up to this to --max-requests, for each worker its own",
		func(s *settings) any { return &s.maxRequestsJitter }},
	{"max-worker-lifetime", "", "off", span.orOff(), "for a worker to serve; then another one takes its place",
		func(s *settings) any { return &s.maxWorkerLifetime }},
	{"max-worker-lifetime-jitter", "", "off", span.orOff(), "adds a random time up to this to --max-worker-lifetime, for each worker its own",
		func(s *settings) any { return &s.maxWorkerLifeJitter }},
	{"max-worker-memory", "", "off", size(1<<20, 1<<50).orOff(), "memory that a worker may have, resident or swapped out, without shared memory; then another one takes its place",
		func(s *settings) any { return &s.maxWorkerMemory }},
	{"max-worker-memory-jitter", "", "off", size(1, 1<<50).orOff(), "adds a random size up to this to --max-worker-memory, for each worker its own",
		func(s *settings) any { return &s.maxWorkerMemoryJitter }},

	{"touch-reload", "", "", listOf(text("FILE")), "file whose change has the application reloaded; may be given several times, and need not be there yet",
		func(s *settings) any { return &s.touches }},
	{"control", "", "", text("PATH").word(controlOff, controlOff), "socket for gobridge reload and gobridge status; default: one of the application's own in a private folder",
		func(s *settings) any { return &s.control }},
}

// askTable is what the commands take that ask a running server. The values go to the same
// fields, and to wait.
var askTable = []setting{
	{"chdir", "C", "", text("DIR"), "the application's folder, as run was told; default: the current one",
		func(s *settings) any { return &s.chdir }},
	{"control", "", "", text("PATH"), "the server's control socket; default: that of the application",
		func(s *settings) any { return &s.control }},
}

// reloadTable is askTable with what reload takes beside it.
var reloadTable = append(askTable[:len(askTable):len(askTable)], setting{
	"timeout", "", "off", span.orOff(), "how long to wait for the outcome; the reload goes on all the same",
	func(s *settings) any { return &s.wait }})

// statusTable is askTable with what status takes beside it.
var statusTable = append(askTable[:len(askTable):len(askTable)], setting{
	"stuck-after", "", "off", span.orOff(), "while requests wait, look for so long whether a worker begins one; when none does, exit with 8",
	func(s *settings) any { return &s.stuckAfter }})

// variable is the environment variable of a setting: GOBRIDGE_LOG_LEVEL.
func (s *setting) variable() string {
	return "GOBRIDGE_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// origin says where a value was written, for the message about it.
func (s *setting) origin(fromFlag bool) string {
	if fromFlag {
		return "--" + s.name
	}
	return s.variable()
}

// source tells what is written for a setting, and whether as a flag (else in the environment).
type source func(s *setting) (values []string, fromFlag bool)

// readSettings fills in the whole table from the source and the defaults.
func readSettings(from source) (*settings, error) { return readTable(table, from) }

func readTable(rows []setting, from source) (*settings, error) {
	out := new(settings)
	for i := range rows {
		s := &rows[i]
		values, fromFlag := from(s)
		if len(values) == 0 {
			if s.initial == "" {
				continue
			}
			values, fromFlag = []string{s.initial}, true
		}
		values = s.kind.flat(values)
		if err := s.kind.store(s.into(out), values); err != nil {
			return nil, usage("%s %s: must be %s", s.origin(fromFlag), quoteEmpty(s.kind.wrong(values)), err)
		}
	}
	return out, nil
}

// fromEnvironment is what the environment says of a setting, if it says anything.
func (s *setting) fromEnvironment(look func(string) (string, bool)) []string {
	value, ok := look(s.variable())
	switch {
	case !ok || value == "":
		return nil
	case s.kind.separate != nil:
		return s.kind.separate(value)
	case s.kind.several:
		return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	}
	return []string{value}
}

func quoteEmpty(value string) string {
	if value == "" || strings.ContainsAny(value, " \t\n") {
		return strconv.Quote(value)
	}
	return value
}

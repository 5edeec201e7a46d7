package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// changing is a server whose application a test changes.
type changing struct {
	*server.Server
	dir     string
	control string
	noted   string
}

// startChanging serves apps/changing.py from a folder of its own, in version 1.
func startChanging(t *testing.T, args ...string) *changing {
	t.Helper()
	dir := t.TempDir()
	noted, variable := notes(t)
	copyFile(t, root(t, "tests", "e2e", "apps", "changing.py"), filepath.Join(dir, "changing.py"))
	c := &changing{dir: dir, control: filepath.Join(shortDir(t), "control"), noted: noted}
	c.write(t, "version", "1")
	c.Server = start(t, server.Config{Application: "changing:application", Dir: dir, Env: []string{variable},
		Args: append(args, "--control", c.control, "--touch-reload", "touched")})
	c.settle(t)
	return c
}

// settle waits until every worker is ready: until then one may still read its code.
func (c *changing) settle(t *testing.T) {
	t.Helper()
	err := server.Await(func() bool {
		out, _ := c.command(t, 0, "status", "--json")
		return !strings.Contains(out, `"state": "starting"`)
	})
	must(t, err)
}

func (c *changing) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644))
}

// command runs a command for this server, which must end with the code.
func (c *changing) command(t *testing.T, code int, name string, args ...string) (out, log string) {
	t.Helper()
	return command(t, server.Config{Dir: c.dir}, code, append([]string{name, "--control", c.control}, args...)...)
}

// command runs one of gobridge to its end, which must come with the code, and returns what it printed.
func command(t *testing.T, c server.Config, code int, args ...string) (out, log string) {
	t.Helper()
	got, out, log, err := server.Command(c, args...)
	must(t, err)
	if got != code {
		t.Fatalf("gobridge %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, log)
	}
	return out, log
}

// serves waits until new requests are answered by the version.
func (c *changing) serves(t *testing.T, version string) {
	t.Helper()
	var a answer
	if err := server.Await(func() bool { a = get(c.Server, "/"); return a.body == version }); err != nil {
		t.Fatalf("version %s never came: %+v", version, a)
	}
}

// shortDir is a folder for sockets, whose paths may not be long.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestReload changes the application and has it reloaded in each of the ways there are, while
// one connection stays open and one answer is on its way.
func TestReload(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		c := startChanging(t, "--python", p.path, "--host", host, "--workers", "2", "--reactors", reactorsFor(host))
		stays, streams := connect(t, c.Server), connect(t, c.Server)
		onStays := func(version string) {
			t.Helper()
			stays.send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if a := stays.receive("GET"); a.err != nil || a.body != version {
				t.Fatalf("the connection that stays got %+v, want version %s", a, version)
			}
		}
		onStays("1")
		streams.send(t, "GET /halves HTTP/1.1\r\nHost: x\r\n\r\n")
		answers := make(chan answer)
		go func() { answers <- streams.receive("GET") }()

		c.write(t, "version", "2")
		onStays("1")
		if out, _ := c.command(t, 0, "reload"); !strings.Contains(out, "generation 2 serves: 2 workers, after ") {
			t.Errorf("the command says %q", out)
		}
		onStays("2")
		out, _ := c.command(t, 0, "status")
		if !strings.Contains(out, "generation 1, draining") || !strings.Contains(out, "generation 2, serving") {
			t.Errorf("while the old generation finishes an answer:\n%s", out)
		}
		c.write(t, "go", "")
		if a := <-answers; a.err != nil || a.body != "1, still 1" {
			t.Errorf("the answer that was on its way: %+v", a)
		}
		streams.send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if a := streams.receive("GET"); a.err != nil || a.body != "2" {
			t.Errorf("the next one on its connection: %+v", a)
		}

		c.write(t, "version", "3")
		must(t, c.Signal(syscall.SIGHUP))
		c.serves(t, "3")
		c.write(t, "version", "4")
		c.write(t, "touched", "")
		c.serves(t, "4")
		onStays("4")
		if _, err := c.AwaitLog("touched was touched"); err != nil {
			t.Error(err)
		}
		must(t, c.AtRest())
		awaitWorkers(t, c.Server, 2)
	})
}

// TestReloadThatFails: the old version goes on, and whoever asks is told.
func TestReloadThatFails(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		c := startChanging(t, "--python", p.path, "--host", host, "--workers", "2")
		c.write(t, "version", "broken")
		workers := c.Workers()
		_, log := c.command(t, 3, "reload")
		for _, text := range []string{"the reload failed, generation 1 goes on serving", "Traceback", "changing.py", "RuntimeError: this version cannot"} {
			if !strings.Contains(log, text) {
				t.Errorf("the command's message lacks %q:\n%s", text, log)
			}
		}
		must(t, c.Signal(syscall.SIGHUP))
		if _, err := c.AwaitLog(`(?s)SIGHUP: starting.*the reload failed.*RuntimeError`); err != nil {
			t.Error(err)
		}
		c.serves(t, "1")
		out, log := c.command(t, 8, "status")
		if !strings.Contains(out, "generation 1, serving") || !strings.Contains(out, "RuntimeError: this version") || !strings.Contains(log, "the last reload failed") {
			t.Errorf("the status:\n%s%s", out, log)
		}
		awaitWorkers(t, c.Server, 2)
		if now := c.Workers(); fmt.Sprint(now) != fmt.Sprint(workers) {
			t.Errorf("the workers were %v and are %v", workers, now)
		}
		c.write(t, "version", "2")
		c.command(t, 0, "reload")
		c.serves(t, "2")
		c.command(t, 0, "status")
	})
}

// TestReloadWhileReloading: what is asked for meanwhile is done afterwards, with the code as it
// is then; a command that does not wait for it ends nothing; nor does one that waits for long.
func TestReloadWhileReloading(t *testing.T) {
	c := startChanging(t, "--workers", "1")
	c.write(t, "version", "slow 2")
	first := make(chan string)
	go func() {
		_, out, log, err := server.Command(server.Config{Dir: c.dir}, "reload", "--control", c.control)
		first <- fmt.Sprint(out, log, err)
	}()
	awaitNote(t, c.noted, "importing")
	if _, log := c.command(t, 9, "reload", "--timeout", "100ms"); !strings.Contains(log, "it goes on") {
		t.Errorf("a command that waits for 100 ms says %q", log)
	}
	if out, _ := c.command(t, 0, "status"); !strings.Contains(out, "generation 2, starting") {
		t.Errorf("the status meanwhile:\n%s", out)
	}
	c.serves(t, "1")
	must(t, c.Signal(syscall.SIGHUP))
	c.write(t, "version", "3") // with which the slow one ends
	if said := <-first; !strings.Contains(said, "generation 2 serves: 1 worker") {
		t.Errorf("the first command says %q", said)
	}
	c.serves(t, "3")
}

// TestReloadThatLeavesAnHeir: the import ends the process, and one that it has started has all
// that it had. The reload has failed all the same.
func TestReloadThatLeavesAnHeir(t *testing.T) {
	for _, preload := range []string{"on", "off"} {
		t.Run("preload "+preload, func(t *testing.T) {
			c := startChanging(t, "--workers", "1", "--preload", preload)
			c.write(t, "version", "leaves an heir")
			said := make(chan string, 1)
			go func() {
				code, _, log, err := server.Command(server.Config{Dir: c.dir}, "reload", "--control", c.control)
				said <- fmt.Sprint(code, " ", log, err)
			}()
			heir, err := strconv.Atoi(awaitNote(t, c.noted, "heir"))
			must(t, err)
			t.Cleanup(func() { syscall.Kill(heir, syscall.SIGKILL) })
			if err := server.Await(func() bool { return len(said) > 0 }); err != nil {
				t.Fatal("the reload does not end")
			}
			if text := <-said; !strings.HasPrefix(text, "3 ") || !strings.Contains(text, "exited with code 5 before it was ready") || !server.Running(heir) {
				t.Errorf("the command says %q", text)
			}
		})
	}
}

// TestStopWhileAForkHangs: in a worker of the next generation a library's handler hangs right
// after the fork. The server knows it all the same, and ends; nor does it stay when the server
// was killed.
func TestStopWhileAForkHangs(t *testing.T) {
	for name, end := range map[string]func(c *changing){
		"stopped": func(c *changing) { must(t, c.Stop()) },
		"killed":  func(c *changing) { c.Kill(); c.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startChanging(t, "--workers", "1", "--graceful-timeout", "1s")
			c.write(t, "version", "hangs when born")
			must(t, c.Signal(syscall.SIGHUP))
			awaitNote(t, c.noted, "hangs")
			tree := c.Tree()
			end(c)
			for _, pid := range tree {
				if err := server.Await(func() bool { return !server.Running(pid) }); err != nil {
					t.Errorf("of %v process %d stays", tree, pid)
				}
			}
		})
	}
}

// TestReloadWhileStopping: the server ends all the same, and the command says so.
func TestReloadWhileStopping(t *testing.T) {
	c := startChanging(t, "--workers", "1")
	c.write(t, "version", "slow 2")
	reloaded := make(chan string)
	go func() {
		code, _, log, err := server.Command(server.Config{Dir: c.dir}, "reload", "--control", c.control)
		reloaded <- fmt.Sprint(code, " ", log, err)
	}()
	awaitNote(t, c.noted, "importing")
	must(t, c.Stop())
	if said := <-reloaded; !strings.HasPrefix(said, "8 gobridge: the server is stopping") {
		t.Errorf("the command says %q", said)
	}
	c.command(t, 7, "reload")
}

package pythons

import (
	"testing"

	"gobridge/pyhost"
)

func TestEveryInterpreterHasAPlace(t *testing.T) {
	var all []Python
	for _, version := range []string{"3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0"} {
		all = append(all, Python{version, &pyhost.Interpreter{Version: version, Ctypes: true, Library: "libpython"}})
	}
	all[2].About.Library = ""
	places := map[string]int{}
	hosts := map[pyhost.Host]int{}
	for _, p := range Everywhere(all) {
		places[p.Python.Path]++
		hosts[p.Host]++
	}
	for version, want := range map[string]int{"3.9.18": 2, "3.10.13": 1, "3.11.7": 1, "3.12.1": 1, "3.13.0": 2} {
		if places[version] != want {
			t.Errorf("%s has %d places, want %d", version, places[version], want)
		}
	}
	if hosts[pyhost.HostEmbedded] < 3 || hosts[pyhost.HostInterpreter] < 3 {
		t.Errorf("the hosts are used unevenly: %v", hosts)
	}
}

func TestOldestNewestAndOwnAreChosen(t *testing.T) {
	python := func(version, base string, noGIL bool) Python {
		return Python{version + base, &pyhost.Interpreter{Version: version, BasePrefix: base, NoGIL: noGIL}}
	}
	all := []Python{
		python("3.10.13", "/opt", false), python("3.13.0", "/opt", false), python("3.9.18", "/opt", false), python("3.13.5", "/opt", true),
		python("3.14.0rc1", "/opt", false), python("3.11.2", "/usr", false), python("3.11.7", "/opt", false),
	}
	want := map[string]bool{"3.9.18": true, "3.13.5": true, "3.14.0rc1": true, "3.11.2": true}
	chosen := Main(all)
	for _, p := range chosen {
		if !want[p.About.Version] {
			t.Errorf("%s is chosen", p.About.Version)
		}
	}
	if len(chosen) != len(want) {
		t.Errorf("%d are chosen instead of %d", len(chosen), len(want))
	}
	if one := Main(all[:1]); len(one) != 1 {
		t.Errorf("of one, %d are chosen", len(one))
	}
}

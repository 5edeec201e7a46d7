package bridge

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// workerMemory is how much memory a process has, in bytes: what is resident (RSS, as ps and
// top show it), without shared memory, in which the segment lies and which is not given back
// with the worker; and what of it is swapped out.
//
// The proportional and the private size (PSS, USS) say better what one more worker costs,
// but to know them the kernel goes over every page, holding up the process, and they change
// when other workers come and go. These three are counters that the kernel keeps.
func workerMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return memoryOf(text)
}

// memoryOf reads it from the text of /proc/PID/status, in which sizes are in KiB.
func memoryOf(status []byte) (int64, error) {
	var resident, shared, swapped int64
	found := false
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		var into *int64
		switch string(name) {
		case "VmRSS":
			into, found = &resident, true
		case "RssShmem":
			into = &shared
		case "VmSwap":
			into = &swapped
		default:
			continue
		}
		fields := bytes.Fields(value)
		if len(fields) == 0 {
			return 0, fmt.Errorf("the line %q has no number", bytes.TrimSpace(line))
		}
		n, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil || n < 0 || n > 1<<50 {
			return 0, fmt.Errorf("the line %q has no size", bytes.TrimSpace(line))
		}
		*into = n << 10
	}
	if !found {
		return 0, fmt.Errorf("there is no line VmRSS: the process has ended")
	}
	return max(resident-shared, 0) + swapped, nil
}

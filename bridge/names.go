package bridge

// names finds the fields of a request that have the same name. Among few it looks at each
// other one; many it puts in order first, or a client could keep a reactor busy for seconds
// with one head.
type names struct {
	fields []Field
	later  []int32 // by field: the next one of its name, -1: it has none; nil: there are few
	again  []bool  // by field: one of its name stands before it
}

// fewFields is up to how many fields there are few; more than requests usually have.
const fewFields = 64

func namesOf(fields []Field) names {
	n := names{fields: fields}
	if len(fields) <= fewFields {
		return n
	}
	n.later, n.again = make([]int32, len(fields)), make([]bool, len(fields))
	last := make(map[string]int32, len(fields))
	var name []byte
	for i := range fields {
		name = name[:0]
		for _, c := range fields[i].Name {
			name = append(name, lowerByte[c])
		}
		n.later[i] = -1
		if before, ok := last[string(name)]; ok {
			n.later[before], n.again[i] = int32(i), true
		}
		last[string(name)] = int32(i)
	}
	return n
}

// first says whether field i is the first one of its name.
func (n *names) first(i int) bool {
	if n.again != nil {
		return !n.again[i]
	}
	for j := range i {
		if sameName(n.fields[j].Name, n.fields[i].Name) {
			return false
		}
	}
	return true
}

// next is the field behind field i that has the same name; -1 if there is none.
func (n *names) next(i int) int {
	if n.later != nil {
		return int(n.later[i])
	}
	for j := i + 1; j < len(n.fields); j++ {
		if sameName(n.fields[j].Name, n.fields[i].Name) {
			return j
		}
	}
	return -1
}

package serve

import "sync/atomic"

// A budget is how much memory all connections together may take for what clients have sent
// and nobody has taken yet: parts of heads, and bodies. What cannot be stored within it is
// refused; an idle connection takes none.
type budget struct {
	limit int64 // bytes; 0: none
	used  atomic.Int64
}

// take reports false when there is not so much left.
func (b *budget) take(n int64) bool {
	if used := b.used.Add(n); b.limit > 0 && used > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

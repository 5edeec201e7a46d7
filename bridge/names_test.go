package bridge

import (
	"fmt"
	"testing"
)

// TestManyFields: few and many fields are joined alike, each at its name's first place.
func TestManyFields(t *testing.T) {
	for _, n := range []int{2, fewFields, fewFields + 1, 3 * fewFields} {
		r := hello("/")
		for i := len(r.Fields); i < n; i++ {
			name := []string{"X-Two", "x-tWO", fmt.Sprintf("X-%d", i), "Cookie"}[i%4]
			r.Fields = append(r.Fields, Field{Name: []byte(name), Value: fmt.Append(nil, i)})
		}
		names := namesOf(r.Fields)
		if ordered := names.later != nil; ordered != (n > fewFields) { // or the time would grow as the square of n
			t.Errorf("%d fields are put in order: %v", n, ordered)
		}
		few := names
		few.later, few.again = nil, nil
		for i := range r.Fields {
			if names.first(i) != few.first(i) || names.next(i) != few.next(i) {
				t.Fatalf("field %d of %d: first %v, next %d; looked for: %v, %d",
					i, n, names.first(i), names.next(i), few.first(i), few.next(i))
			}
		}
	}
}

package checksum_test

import (
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// TestAllocations: nothing that sums allocates.
func TestAllocations(t *testing.T) {
	b := randomBytes(1401)
	h := checksum.New()
	digest := make([]byte, 0, checksum.Size)
	shared := partial(b)
	var sum uint16
	for name, f := range map[string]func(){
		"Sum":          func() { sum = checksum.Sum(b) },
		"Verify":       func() { _ = checksum.Verify(b) },
		"Update":       func() { sum = checksum.Update(sum, 8, []byte{byte(sum)}, []byte{1}) },
		"UpdateUint16": func() { sum = checksum.UpdateUint16(sum, 2, 1, sum) },
		"UpdateUint32": func() { sum = checksum.UpdateUint32(sum, 3, 1, uint32(sum)) },
		"Hash": func() {
			h.Reset()
			_, _ = h.Write(b)
			digest = h.Sum(digest[:0])
		},
		"Partial": func() {
			var p checksum.Partial
			p.AddUint64(1)
			p.AddUint32(2)
			p.AddUint16(sum)
			p.Add(b)
			p.Pad()
			p.AddPartial(shared)
			sum = p.Sum()
			_ = p.Verify()
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

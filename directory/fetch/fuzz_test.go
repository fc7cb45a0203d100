package fetch

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReadPieces: a valid piece list is written as it was read.
func FuzzReadPieces(f *testing.F) {
	for _, p := range []Pieces{{}, {Size: 1, Sums: make([][32]byte, 1)}, {Size: PieceLength + 1, Sums: make([][32]byte, 2)}} {
		b, _ := p.AppendText(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadPieces(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, _ := p.AppendText(nil)
		q, err := ReadPieces(bytes.NewReader(again))
		if diff := cmp.Diff(p, q); err != nil || diff != "" || len(p.Sums) != pieceCount(p.Size) {
			t.Fatalf("%q: %v\n%s", b, err, diff)
		}
	})
}

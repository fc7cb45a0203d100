package ferry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// A digest is that of what R holds from where it stands, whatever its size.
func TestDigest(t *testing.T) {
	for _, size := range []int{0, 1, digestPiece - 1, digestPiece, digestPiece + 1, 5*digestPiece + 77} {
		data := noise(1, size+3)
		r := bytes.NewReader(data)
		if _, err := r.Seek(3, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		src := Source{R: r, Size: int64(size)}
		if err := src.Digest(t.Context()); err != nil {
			t.Fatal(err)
		}
		if *src.SHA256 != sha256.Sum256(data[3:]) {
			t.Errorf("%d bytes: another digest", size)
		}
		if at, _ := r.Seek(0, io.SeekCurrent); at != 3 {
			t.Errorf("%d bytes: R stands at %d", size, at)
		}
	}
}

// Digest does not read a Source that can be read only once, and fails if reading fails.
func TestDigestErrors(t *testing.T) {
	data := noise(1, 3*digestPiece)
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	for name, test := range map[string]struct {
		ctx  context.Context
		src  Source
		want error
	}{
		"read once":     {t.Context(), Source{R: bytes.NewBuffer(data), Size: int64(len(data))}, nil},
		"unknown size":  {t.Context(), Source{R: bytes.NewReader(data), Size: -1}, nil},
		"too short":     {t.Context(), Source{R: bytes.NewReader(data), Size: int64(len(data)) + 1}, ErrSize},
		"too long":      {t.Context(), Source{R: bytes.NewReader(data), Size: int64(len(data)) - 1}, ErrSize},
		"empty, not so": {t.Context(), Source{R: bytes.NewReader(data)}, ErrSize},
		"cannot read":   {t.Context(), Source{R: brokenAt{}, Size: int64(len(data))}, errBroken},
		"cancelled":     {gone, Source{R: bytes.NewReader(data), Size: int64(len(data))}, errBroken},
	} {
		test.src.SHA256 = new([32]byte) // of something before
		err := test.src.Digest(test.ctx)
		if !errors.Is(err, test.want) || test.src.SHA256 != nil {
			t.Errorf("%s: %v, want %v; digest %v", name, err, test.want, test.src.SHA256)
		}
	}
}

// A brokenAt cannot be read from the second piece on.
type brokenAt struct{ io.Reader }

func (brokenAt) ReadAt(b []byte, offset int64) (int, error) {
	if offset > 0 {
		return iotest.ErrReader(errBroken).Read(b)
	}
	return len(b), nil
}

// noise returns n bytes that are the same for the same seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

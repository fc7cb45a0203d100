package p2mp

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// cut returns the lengths of the chunks that a source is cut into in the classic mode.
func cut(src Source, mss int) (lengths []int, data []byte, err error) {
	s := newStore(src, mss, 4)
	b := make([]byte, mss)
	for seq := uint32(1); ; seq++ {
		if err := s.fill(seq); err != nil {
			return lengths, data, err
		}
		n, err := s.chunk(seq, b)
		if err != nil {
			return lengths, data, err
		}
		lengths = append(lengths, n)
		data = append(data, b[:n]...)
		if n < lengths[0] || n == 0 {
			sum, err := s.digest()
			if want := sha256.Sum256(data); err == nil && sum != want {
				err = errors.New("wrong digest")
			}
			return lengths, data, err
		}
	}
}

// The table in the package comment: the last chunk is shorter than the first, or empty.
func TestChunks(t *testing.T) {
	for _, tt := range []struct {
		size int
		want string
	}{
		{0, "[0]"},
		{1, "[1 0]"},
		{499, "[499 0]"},
		{500, "[500 0]"},
		{501, "[500 1]"},
		{999, "[500 499]"},
		{1000, "[500 500 0]"},
		{1001, "[500 500 1]"},
	} {
		data := bytes.Repeat([]byte{7}, tt.size)
		for name, src := range map[string]Source{
			// One byte at a time: how a reader cuts its answers must not matter.
			"reader":               {R: iotest.OneByteReader(bytes.NewReader(data)), Size: int64(tt.size)},
			"reader, size unknown": {R: iotest.OneByteReader(bytes.NewReader(data)), Size: -1},
			"reader at":            {R: bytes.NewReader(data), Size: int64(tt.size)},
		} {
			lengths, got, err := cut(src, 500)
			if fmt.Sprint(lengths) != tt.want || err != nil || !bytes.Equal(got, data) {
				t.Errorf("size %d, %s: chunks of %v, %v; want %v", tt.size, name, lengths, err, tt.want)
			}
		}
	}
}

func TestChunksOfAWrongSize(t *testing.T) {
	for _, tt := range []struct{ holds, told int }{{0, 1}, {1, 0}, {999, 1000}, {1001, 1000}, {1000, 1001}, {500, 1000}} {
		for _, r := range []io.Reader{bytes.NewReader(make([]byte, tt.holds)), bytes.NewBuffer(make([]byte, tt.holds))} {
			lengths, _, err := cut(Source{R: r, Size: int64(tt.told)}, 500)
			if !errors.Is(err, ErrSize) {
				t.Errorf("%d bytes, told %d (%T): %v after chunks of %v, want ErrSize before the last", tt.holds, tt.told, r, err, lengths)
			}
		}
	}
}

func TestChunksOfAFailingReader(t *testing.T) {
	broken := errors.New("broken")
	src := Source{R: io.MultiReader(strings.NewReader("abcdef"), iotest.ErrReader(broken)), Size: -1}
	lengths, _, err := cut(src, 4)
	if !errors.Is(err, broken) || fmt.Sprint(lengths) != "[4]" || !strings.Contains(err.Error(), "byte 6") {
		t.Errorf("chunks of %v, %v; want [4] and where it broke", lengths, err)
	}
}

func TestCheckSize(t *testing.T) {
	const most = 1<<32 - 1 // chunks
	for _, tt := range []struct {
		size int64
		mss  int
		ok   bool
	}{
		{-1, 1, true},
		{most - 1, 1, true}, // and an empty chunk
		{most, 1, false},
		{most*1400 - 1, 1400, true},
		{most * 1400, 1400, false},
		{1<<63 - 1, 1, false},
	} {
		if err := checkSize(tt.size, tt.mss); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrTooManyChunks) {
			t.Errorf("checkSize(%d, %d) = %v, want ok %v", tt.size, tt.mss, err, tt.ok)
		}
	}
}

func TestFileSource(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(2, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	src, err := FileSource(f)
	if err != nil || src.Size != 4 {
		t.Fatalf("FileSource = %+v, %v; want 4 bytes", src, err)
	}
	if b, err := io.ReadAll(src.R); string(b) != "cdef" || err != nil {
		t.Errorf("read %q, %v; want what follows the offset", b, err)
	}

	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := FileSource(dir); err == nil {
		t.Error("a directory is no source")
	}

	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	defer pw.Close()
	if src, err := FileSource(pr); err != nil || src.Size >= 0 {
		t.Errorf("a pipe: %+v, %v; want an unknown size", src, err)
	}
}

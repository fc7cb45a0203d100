package p2mp

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// cut returns the lengths of the chunks that a source is cut into in the classic mode.
func cut(src ferry.Source, mss int) (lengths []int, data []byte, err error) {
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
		for name, src := range map[string]ferry.Source{
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
			lengths, _, err := cut(ferry.Source{R: r, Size: int64(tt.told)}, 500)
			if !errors.Is(err, ferry.ErrSize) {
				t.Errorf("%d bytes, told %d (%T): %v after chunks of %v, want ErrSize before the last", tt.holds, tt.told, r, err, lengths)
			}
		}
	}
}

// A source that holds more than was told is noticed before any receiver takes a part
// for the whole, whatever is known beforehand: of a file that has grown the digest is
// that of the part.
func TestSourceHoldsMore(t *testing.T) {
	for _, size := range []int64{0, 50, 100, 250, 300} {
		data := noise(1, int(size)+1)
		digest := sha256.Sum256(data[:size])
		for name, s := range map[string]Sender{"extended": {MSS: 100}, "classic": {MSS: 100, Classic: true}} {
			for _, once := range []bool{false, true} {
				for _, known := range []*[32]byte{nil, &digest} {
					var r io.Reader = bytes.NewReader(data)
					if once {
						r = bytes.NewBuffer(data)
					}
					t.Run(fmt.Sprintf("%s, %d bytes, read once %v, digest known %v", name, size, once, known != nil), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							p := newParty(t, 1, lossy.Delay(time.Millisecond))
							sh := &shelf{t: t}
							p.serve(Receiver{}, sh)
							_, err := s.Send(t.Context(), p.sender, p.to, ferry.Source{R: r, Size: size, SHA256: known})
							pause(2 * DefaultReceiverGiveUp)
							p.stop()
							if !errors.Is(err, ferry.ErrSize) {
								t.Errorf("Send: %v", err)
							}
							for _, i := range sh.items {
								if i.ended != "aborted" {
									t.Errorf("a part was %s as the whole", i.ended)
								}
							}
						})
					})
				}
			}
		}
	}
}

// The same where the receiver holds everything already.
func TestResumedSourceHoldsMore(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 301)
	digest := sha256.Sum256(data[:300])
	part := fmt.Sprintf(".f.%x.300.part", digest[:8])
	if err := root.WriteFile(part, data[:300], 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &ferry.Dir{Root: root, Resume: true})
		_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: 300, Name: "f", SHA256: &digest})
		pause(time.Second)
		p.stop()
		if got := names(t, dir); !errors.Is(err, ferry.ErrSize) || len(got) != 1 || got[0] != part {
			t.Errorf("Send: %v; files %q", err, got)
		}
	})
}

func TestChunksOfAFailingReader(t *testing.T) {
	broken := errors.New("broken")
	src := ferry.Source{R: io.MultiReader(strings.NewReader("abcdef"), iotest.ErrReader(broken)), Size: -1}
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
	src, err := ferry.FileSource(f)
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
	if _, err := ferry.FileSource(dir); err == nil {
		t.Error("a directory is no source")
	}

	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	defer pw.Close()
	if src, err := ferry.FileSource(pr); err != nil || src.Size >= 0 {
		t.Errorf("a pipe: %+v, %v; want an unknown size", src, err)
	}
}

// A source that says that it was cut off is not one that ends, however it says it; and
// one that never says anything is given up.
func TestSourceCutOff(t *testing.T) {
	for name, tt := range map[string]struct {
		end  error
		want error
	}{
		"unexpected EOF": {io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
		"a wrapped EOF":  {fmt.Errorf("connection lost: %w", io.EOF), io.EOF},
		"nothing":        {nil, io.ErrNoProgress},
	} {
		for _, classic := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, classic %v", name, classic), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newParty(t, 1, lossy.Delay(time.Millisecond))
					s := &shelf{t: t}
					p.serve(Receiver{}, s)
					_, err := (&Sender{MSS: 100, Classic: classic}).Send(t.Context(), p.sender, p.to, ferry.Source{R: &failingReader{n: 250, err: tt.end}, Size: -1})
					pause(2 * DefaultReceiverGiveUp)
					p.stop()
					if !errors.Is(err, tt.want) {
						t.Errorf("Send: %v", err)
					}
					for _, i := range s.items {
						if i.ended != "aborted" {
							t.Errorf("a part was %s as the whole", i.ended)
						}
					}
				})
			})
		}
	}
}

// The source is not read again after an end of file, because a terminal may return more.
func TestSourceAfterItsEnd(t *testing.T) {
	r := io.MultiReader(strings.NewReader("ab"), &failingReader{err: io.EOF}, strings.NewReader("more"))
	lengths, data, err := cut(ferry.Source{R: &pausingReader{r: r}, Size: -1}, 500)
	if fmt.Sprint(lengths) != "[2 0]" || string(data) != "ab" || err != nil {
		t.Errorf("chunks of %v, %q, %v", lengths, data, err)
	}
}

// A pausingReader says that it is at its end, once, between two reads.
type pausingReader struct {
	r     io.Reader
	reads int
}

func (r *pausingReader) Read(b []byte) (int, error) {
	if r.reads++; r.reads == 2 {
		return 0, io.EOF
	}
	return r.r.Read(b)
}

func TestFileSourceBehindItsEnd(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("abc")
	f.Seek(10, io.SeekStart)
	if src, err := ferry.FileSource(f); err != nil || src.Size != 0 {
		t.Errorf("%+v, %v; want size 0", src, err)
	}
}

// Reading ahead goes on up to the last number that there is.
func TestLastNumbersReadOnce(t *testing.T) {
	s := Sender{MSS: 1, Window: 100}
	v, err := s.newSending([]netip.AddrPort{firstReceiver}, ferry.Source{R: strings.NewReader(strings.Repeat("x", 200)), Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	v.store.at = nil
	const at = math.MaxUint32 - 20
	v.store.count = at
	v.peers[0].stage = extended
	v.peers[0].flight.begin(time.Now(), at, 100, 100, 0)
	if err := v.readAhead(); err == nil && v.store.count == at {
		t.Errorf("nothing was read behind chunk %d", uint32(at))
	}
}

// A receiver is told that it is the source that failed.
func TestSourceFailureIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.receive(Receiver{})
		_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: &failingReader{n: 5000, err: errBroken}, Size: -1})
		<-p.receivers[0].done
		if a, ok := errors.AsType[*AbortError](p.receivers[0].err); !ok || a.Reason != ReasonSource || !errors.Is(err, errBroken) {
			t.Errorf("the receiver %v, the sender %v", p.receivers[0].err, err)
		}
		p.stop()
	})
}

// The digest is that of the bytes in their order, whatever order they are asked for in.
func TestDigestInAnyOrder(t *testing.T) {
	data := noise(1, 1050)
	for _, order := range [][]uint32{nil, {11}, {3, 1, 2}, {1, 2, 2, 4, 3}, {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}} {
		s := newStore(ferry.Source{R: bytes.NewReader(data), Size: 1050}, 100, 5)
		b := make([]byte, 100)
		for _, n := range order {
			k, err := s.chunk(n, b)
			if want := data[(n-1)*100 : min(1050, n*100)]; err != nil || !bytes.Equal(b[:k], want) {
				t.Errorf("%v: chunk %d has %d bytes, %v", order, n, k, err)
			}
		}
		if got, err := s.digest(); err != nil || got != sha256.Sum256(data) {
			t.Errorf("%v: %x, %v", order, got, err)
		}
	}
}

package relay

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// split feeds reads to a splitter, and then the end.
func split(f Framing, limit int, reads ...string) (texts []string, err error) {
	s := splitter{framing: f, max: limit}
	for i, r := range append(reads, "") {
		for first := true; first || r != ""; first = false {
			n := copy(s.room(), r)
			r = r[n:]
			s.took(n)
			if i == len(reads) {
				s.finish()
			}
			for {
				text, ok, err := s.next()
				if err != nil {
					return texts, err
				}
				if !ok {
					break
				}
				texts = append(texts, string(text))
			}
		}
	}
	return texts, nil
}

func TestSplitter(t *testing.T) {
	long, full := strings.Repeat("x", 100_000), strings.Repeat("x", minBuffer)
	for _, tt := range []struct {
		name    string
		framing Framing
		max     int
		reads   []string
		want    []string
		err     error
	}{
		{"nothing", Auto, 10, nil, nil, nil},
		{"chunks", Auto, 10, []string{"a", "bc", "d e"}, []string{"a", "bc", "d e"}, nil},
		{"chunks, then lines", Auto, 10, []string{"a", "b\nc", "d\ne", "f\n"}, []string{"a", "b", "cd", "ef"}, nil},
		{"a key at a time", Auto, 10, []string{"y", "o", "\r\n", "y", "o", "u", "\r", "\n", "\r\n"}, []string{"y", "o", "you", ""}, nil},
		{"a key at a time, the end too", Auto, 10, []string{"y", "o", "\r", "\n", "y", "o", "u", "\r", "\n"}, []string{"y", "o", "you"}, nil},
		{"a carriage return between chunks", Auto, 10, []string{"a", "\r", "b"}, []string{"a", "\rb"}, nil},
		{"the first line cut in two", Auto, 10, []string{"hel", "lo\n", "thi", "rd\n"}, []string{"hel", "lo", "third"}, nil},
		{"a character cut in two", Auto, 10, []string{"a\ngr\xc3", "\xbcn\n"}, []string{"a", "grün"}, nil},
		{"lines", Auto, 10, []string{"a\nb", "c\n"}, []string{"a", "bc"}, nil},
		{"lines from the start", Line, 10, []string{"a", "b\n"}, []string{"ab"}, nil},
		{"chunks of lines", Chunk, 10, []string{"a\n", "\n", "b\nc"}, []string{"a", "", "b", "c"}, nil},
		{"carriage returns", Auto, 10, []string{"a\r\n\r\nb\rc\r\n"}, []string{"a", "", "b\rc"}, nil},
		{"one byte at a time", Line, 10, strings.Split("ab\ncd\n", ""), []string{"ab", "cd"}, nil},
		{"no newline at the end", Line, 10, []string{"a\nb"}, []string{"a", "b"}, nil},
		{"as long as may be", Line, 3, []string{"abc\nabc\r\nabc"}, []string{"abc", "abc", "abc"}, nil},
		{"too long", Line, 3, []string{"abc\nabcd\n"}, []string{"abc"}, ErrTooLong},
		{"too long without a newline", Line, 3, []string{"abcd"}, nil, ErrTooLong},
		{"as long as may be, so far", Line, 3, []string{"abc", "\n"}, []string{"abc"}, nil},
		{"with a carriage return, so far", Line, 3, []string{"abc\r", "\n"}, []string{"abc"}, nil},
		{"a long chunk", Chunk, 3, []string{"abcdefg"}, []string{"abc", "def", "g"}, nil},
		{"a long line in a chunk", Chunk, 3, []string{"ab\ncdefgh\n"}, []string{"ab", "cde", "fgh", ""}, nil},
		{"longer than the buffer", Line, 100_000, []string{long + "\n" + long + "\n"}, []string{long, long}, nil},
		{"longer than the buffer by one", Line, 100_000, []string{long + "x\n"}, nil, ErrTooLong},
		{"a first line longer than a read", Auto, 100_000, []string{long + "\na", "b\n"}, []string{long, "ab"}, nil},
		{"a first line that fills a read", Auto, minBuffer, []string{full, "\na", "b\n"}, []string{full, "ab"}, nil},
		{"a first chunk longer than a read", Auto, 100_000, []string{full + "x", "y"}, []string{full + "x", "y"}, nil},
		{"a first chunk that fills a read", Auto, 100_000, []string{full}, []string{full}, nil},
		{"a first chunk longer than a message", Auto, minBuffer - 1, []string{full, "y"}, []string{full[1:], "x", "y"}, nil},
		{"a label", Auto, 10, []string{"2: a", "b\n"}, []string{"2: a", "b"}, nil},
		{"binary", Auto, 10, []string{"\x00\xff\n\x80\n"}, []string{"\x00\xff", "\x80"}, nil},
	} {
		got, err := split(tt.framing, tt.max, tt.reads...)
		if !slices.Equal(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%s: %.60q, %v; want %.60q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// TestSplitterLabels: a stream that begins with a Server's label is split into lines from the start.
func TestSplitterLabels(t *testing.T) {
	for _, tt := range []struct {
		first string
		want  Framing
	}{
		{"1: a", Line},
		{"18446744073709551615: a", Line},
		{"* full: at", Line},
		{"1: ", Line},
		{"1:a", Auto},
		{"12", Auto},
		{": a", Auto},
		{"a 1: a", Auto},
		{"*", Auto},
		{"**", Auto},
	} {
		s := splitter{max: 100, labels: true}
		s.took(copy(s.room(), tt.first))
		s.took(copy(s.room(), "2: a")) // shows nothing any more
		if s.framing != tt.want {
			t.Errorf("%q is the beginning of a %v, want %v", tt.first, s.framing, tt.want)
		}
	}
}

// FuzzSplitter: the lines do not depend on the reads. No message holds a newline or is too long, and nothing is
// lost.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n"), uint8(1), uint8(3))
	f.Add([]byte("abcdefgh"), uint8(2), uint8(2))
	f.Add([]byte("\x02\nab\n0123456789"), uint8(0), uint8(5))
	f.Fuzz(func(t *testing.T, stream []byte, kind, size uint8) {
		framing, limit := Framing(kind%3), 1+int(size)
		for _, step := range []int{1, 3, len(stream) + 1} {
			var reads []string
			for part := range slices.Chunk(stream, step) {
				reads = append(reads, string(part))
			}
			texts, err := split(framing, limit, reads...)
			for _, text := range texts {
				if len(text) > limit || strings.Contains(text, "\n") {
					t.Fatalf("message %q, limit %d", text, limit)
				}
			}
			if err != nil && framing == Chunk {
				t.Fatal(err)
			}
			if err == nil && framing == Line {
				want := strings.Split(strings.ReplaceAll(string(stream), "\r\n", "\n"), "\n")
				if want[len(want)-1] == "" {
					want = want[:len(want)-1]
				}
				if !slices.Equal(texts, want) {
					t.Fatalf("lines %q, want %q", texts, want)
				}
			}
			if got := strings.Join(texts, ""); err == nil && !strings.Contains(string(stream), "\r") &&
				got != string(bytes.ReplaceAll(stream, []byte("\n"), nil)) {
				t.Fatalf("bytes %q of %q", got, stream)
			}
		}
	})
}

// TestSplitterMemory: short messages need a small buffer only.
func TestSplitterMemory(t *testing.T) {
	s := splitter{max: 1 << 20}
	for range 1000 {
		s.took(copy(s.room(), "hello\n"))
		s.next()
	}
	if len(s.buf) != minBuffer {
		t.Errorf("a buffer of %d bytes, want %d", len(s.buf), minBuffer)
	}
	s.took(len(s.room()))
	if len(s.buf) != 2*minBuffer {
		t.Errorf("after a full read, a buffer of %d bytes, want %d", len(s.buf), 2*minBuffer)
	}
}

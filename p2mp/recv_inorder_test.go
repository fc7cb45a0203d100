package p2mp

import (
	"errors"
	"hash/maphash"
	"strings"
	"testing"
)

// receive feeds chunks to an inOrder and returns what was delivered, and a word for
// each chunk. A chunk is written "NUMBER:payload".
func receive(t *testing.T, chunks ...string) (data string, words []string, err error) {
	t.Helper()
	in := newInOrder(maphash.MakeSeed())
	names := map[verdict]string{due: "deliver", known: "repeat", away: "ignore", anew: "anew", resumed: "resumed", broken: "broken"}
	for _, c := range chunks {
		p := Packet{Seq: uint32(c[0] - '0'), Category: CategoryData, Payload: []byte(c[2:])}
		what, e := in.judge(p)
		err = errors.Join(err, e)
		word := names[what]
		if what == due {
			data += c[2:]
			if in.taken(p) {
				word = "last"
			}
		}
		words = append(words, word)
	}
	return data, words, err
}

func TestInOrder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		chunks string // separated by spaces
		data   string
		words  string
		err    error
	}{
		{"nothing but an empty chunk", "1:", "", "last", nil},
		{"one byte", "1:a 2:", "a", "deliver last", nil},
		{"an exact multiple", "1:ab 2:cd 3:", "abcd", "deliver deliver last", nil},
		{"one byte more", "1:ab 2:c", "abc", "deliver last", nil},

		{"a repetition", "1:ab 1:ab 2:cd 1:ab 2:cd 3:", "abcd", "deliver repeat deliver ignore repeat last", ErrSequence},
		{"a chunk from the future", "1:ab 3:ef", "ab", "deliver ignore", ErrSequence},
		{"a chunk longer than the first", "1:ab 2:cde", "ab", "deliver ignore", ErrLength},
		{"another first chunk", "1:ab 2:cd 1:xy", "abcd", "deliver deliver anew", nil},
		{"another latest chunk", "1:ab 2:cd 2:xy", "abcd", "deliver deliver broken", nil},

		{"after the end: the last chunk again", "1:ab 2:c 2:c 2:c", "abc", "deliver last repeat repeat", nil},
		{"after the end: another last chunk", "1:ab 2:c 2:d", "abc", "deliver last ignore", ErrSequence},
		{"after the end: an earlier chunk", "1:ab 2:cd 3:e 2:cd", "abcde", "deliver deliver last ignore", ErrSequence},
		{"after the end: a late first chunk", "1:ab 2:c 1:ab 2:c", "abc", "deliver last repeat repeat", nil},
		{"after the end: chunk 2 longer than chunk 1", "1:ab 2:c 1:ab 2:xyz", "abc", "deliver last repeat ignore", ErrSequence},
		{"after the end: another transfer", "1:ab 2:c 1:xy", "abc", "deliver last anew", nil},
		{"after the end: another transfer that begins alike", "1:ab 2:c 1:ab 2:xy", "abc", "deliver last repeat resumed", nil},
		{"after the end: the same transfer again", "1:ab 2:cd 3:e 1:ab 2:cd", "abcde", "deliver deliver last repeat resumed", nil},
		{"after the end: chunk 2 alone", "1:ab 2:cd 3:e 2:xy", "abcde", "deliver deliver last ignore", ErrSequence},
		{"after the end of nothing: the empty chunk again", "1: 1: 2:a", "", "last repeat ignore", ErrSequence},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, words, err := receive(t, strings.Split(tt.chunks, " ")...)
			if got := strings.Join(words, " "); data != tt.data || got != tt.words || !errors.Is(err, tt.err) {
				t.Errorf("%q, %q, %v; want %q, %q, %v", data, got, err, tt.data, tt.words, tt.err)
			}
		})
	}
}

// Chunk 2^32-1 is the last one: number 0 does not exist.
func TestInOrderAfterTheLastNumber(t *testing.T) {
	in := newInOrder(maphash.MakeSeed())
	full := Packet{Seq: 1, Category: CategoryData, Payload: []byte("ab")}
	in.taken(full)
	in.next = 1<<32 - 1
	full.Seq = in.next
	if what, _ := in.judge(full); what != due {
		t.Fatalf("chunk 2^32-1: %v, want deliver", what)
	}
	in.taken(full)
	if what, _ := in.judge(full); what != known || in.over {
		t.Errorf("chunk 2^32-1 again: %v, want repeat", what)
	}
}

package p2mp

import (
	"fmt"
	"testing"
)

// gathered feeds chunks, "NUMBER:payload", to a reassembly of mss 2, and returns what is
// written and a word for each.
func gathered(g *reassembly, chunks ...string) (data, words string) {
	for _, c := range chunks {
		p := chunk(uint32(c[0]-'0'), c[2:])
		what, err := g.take(p)
		words += [...]string{"due", "early", "known", "away"}[what]
		if err != nil {
			words += "!"
		}
		words += " "
		if what != due {
			continue
		}
		for b := p.Payload; b != nil; b = g.ready() {
			data += string(b)
		}
	}
	return data, words
}

func TestReassembly(t *testing.T) {
	for _, tt := range []struct {
		name         string
		size         int64
		window       int
		chunks       []string
		data, words  string
		end          int64 // told by FIN
		ok, complete bool
	}{
		{"the edge of the window", 20, 3, []string{"4:gh", "3:ef", "2:cd", "1:ab", "4:gh"}, "abcdefgh", "away early early due due ", 20, true, false},
		{"too short in the middle", 20, 3, []string{"1:a"}, "", "away! ", 20, true, false},
		{"a short one below a kept one", -1, 5, []string{"3:ef", "2:c", "2:cd", "1:ab"}, "abcdef", "early away! early due ", 6, true, true},
		{"one behind the short one", -1, 5, []string{"2:c", "3:ef", "1:ab"}, "abc", "early away! due ", 3, true, true},
		{"the end is before what came", -1, 5, []string{"1:ab", "2:cd"}, "abcd", "due due ", 2, false, false},
		{"the end is before what waits", -1, 5, []string{"3:ef"}, "", "early ", 4, false, false},
		{"the end is behind the short one", -1, 5, []string{"1:ab", "2:c"}, "abc", "due due ", 6, false, false},
		{"the last one is too long", -1, 5, []string{"1:ab"}, "ab", "due ", 1, false, false},
		{"what came is the end", -1, 5, []string{"1:ab", "2:cd"}, "abcd", "due due ", 4, true, true},
		{"more is to come", -1, 5, []string{"1:ab"}, "ab", "due ", 4, true, false},
		{"more chunks than numbers", -1, 5, []string{"1:ab"}, "ab", "due ", 1 << 33, false, false},
		{"empty", -1, 5, nil, "", "", 0, true, true},
		{"another size than was told", 4, 5, []string{"1:ab"}, "ab", "due ", 5, false, false},
		{"two short ones", -1, 5, []string{"3:e", "2:c"}, "", "early away! ", 5, true, false},
		{"an empty one", 4, 5, []string{"1:"}, "", "away! ", 4, true, false},
		{"the last one waits, too long", -1, 5, []string{"2:cd"}, "", "early ", 3, false, false},
	} {
		g := reassembly{mss: 2, size: tt.size}
		g.begin(0, tt.window)
		data, words := gathered(&g, tt.chunks...)
		ok := g.end(tt.end)
		if data != tt.data || words != tt.words || ok != tt.ok || ok && g.complete() != tt.complete {
			t.Errorf("%s: %q, %q, end %v, complete %v", tt.name, data, words, ok, g.complete())
		}
	}
}

// TestReassemblyTells: a REPORT says what waits, and no more of it than there is.
func TestReassemblyTells(t *testing.T) {
	g := reassembly{mss: 2, size: 100}
	g.begin(0, 20)
	var s status
	expect := func(want string) {
		t.Helper()
		g.fill(&s)
		if got := fmt.Sprintf("%d %d %d %08b", s.cum, s.space, s.received, s.held); got != want {
			t.Errorf("it tells %s, want %s", got, want)
		}
	}
	expect("0 20 0 []")
	gathered(&g, "3:ef", "5:ij", "5:ij", "9:qr")
	expect("0 20 4 [01010001]")
	g.take(chunk(20, "xx"))
	g.take(chunk(21, "xx")) // beyond the window
	expect("0 20 6 [01010001 00000000 00100000]")
	gathered(&g, "2:cd", "1:ab")
	expect("3 20 8 [10001000 00000001]")
	gathered(&g, "4:gh")
	expect("5 20 9 [00100000 00000100]")
}

// TestReassemblyResumes: behind what is held already, down to a short last chunk.
func TestReassemblyResumes(t *testing.T) {
	for _, tt := range []struct {
		size        int64
		cum, window uint32
		bytes       int64
		complete    bool
		chunk       string
		data, words string
	}{
		{10, 0, 5, 0, false, "1:ab", "ab", "due "},
		{10, 3, 5, 6, false, "4:gh", "gh", "due "},
		{10, 3, 5, 6, false, "3:ef", "", "known "},
		{9, 4, 5, 8, false, "5:i", "i", "due "},
		{9, 4, 5, 8, false, "5:ij", "", "away! "},
		{9, 5, 5, 9, true, "5:i", "", "known "},
		{0, 0, 1, 0, true, "1:a", "", "away! "},
	} {
		g := reassembly{mss: 2, size: tt.size}
		g.begin(tt.cum, 100)
		if g.window != tt.window || g.bytes != tt.bytes || g.complete() != tt.complete {
			t.Errorf("%d of %d bytes: window %d, %d bytes, complete %v", tt.cum, tt.size, g.window, g.bytes, g.complete())
		}
		if data, words := gathered(&g, tt.chunk); data != tt.data || words != tt.words {
			t.Errorf("%d of %d bytes, then %s: %q, %s", tt.cum, tt.size, tt.chunk, data, words)
		}
	}
}

// TestReassemblyReuses: a chunk that waited gives its buffer to the next one.
func TestReassemblyReuses(t *testing.T) {
	g := reassembly{mss: 2, size: 2000}
	g.begin(0, 10)
	seq := uint32(0)
	allocs := testing.AllocsPerRun(100, func() {
		g.take(chunk(seq+2, "cd"))
		g.take(chunk(seq+1, "ab"))
		for g.ready() != nil {
		}
		seq += 2
	})
	if g.cum != seq || allocs > 0 {
		t.Errorf("%d of %d chunks, %v allocations each", g.cum, seq, allocs)
	}
}

// TestReassemblyForgets: a chunk beyond the highest that was sent is not reported, and dropped
// if it is far beyond. A chunk that was reported stays.
func TestReassemblyForgets(t *testing.T) {
	g := reassembly{mss: 2, size: 10000}
	g.begin(0, 1000)
	var s status
	expect := func(want string) {
		t.Helper()
		g.fill(&s)
		if got := fmt.Sprintf("%08b, highest %d", s.held, g.highest); got != want {
			t.Errorf("it tells %s, want %s", got, want)
		}
	}
	for _, seq := range []uint32{3, 9, 4 + sentSlack, 5 + sentSlack, 900} {
		g.take(chunk(seq, "xx"))
	}
	g.limit(4)
	expect(fmt.Sprintf("[01000000], highest %d", 4+sentSlack))
	if g.early != 3 {
		t.Errorf("%d chunks are kept, want 3", g.early)
	}
	g.limit(9)
	expect(fmt.Sprintf("[01000001], highest %d", 4+sentSlack))
	g.limit(2) // late
	expect(fmt.Sprintf("[01000001], highest %d", 4+sentSlack))
}

package p2mp

import (
	"testing"
)

// gathered feeds chunks, "NUMBER:payload", to a gather of mss 2, and returns what is
// written and a word for each.
func gathered(g *gather, chunks ...string) (data, words string) {
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
			g.wrote(len(b))
		}
	}
	return data, words
}

func TestGather(t *testing.T) {
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
		{"the last one waits, too long", -1, 5, []string{"2:cd"}, "", "early ", 3, false, false},
	} {
		g := gather{mss: 2, size: tt.size}
		g.begin(0, tt.window)
		data, words := gathered(&g, tt.chunks...)
		ok := g.end(tt.end)
		if data != tt.data || words != tt.words || ok != tt.ok || ok && g.complete() != tt.complete {
			t.Errorf("%s: %q, %q, end %v, complete %v", tt.name, data, words, ok, g.complete())
		}
	}
}

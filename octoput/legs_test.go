package octoput

import "testing"

// The assignment's own example: '00100000' is the third octoleg (CPSC 441 assignment 2,
// "Technical Requirements", paragraph 3).
func TestLegs(t *testing.T) {
	if got := Nth(3).String(); got != "00100000" {
		t.Errorf("the third octoleg is %s, want 00100000", got)
	}
	var all Legs
	for n := 1; n <= LegsPerBlock; n++ {
		l := Nth(n)
		if l.index() != n-1 || !l.has(n-1) || l.Len() != 1 || all.has(n-1) {
			t.Errorf("octoleg %d: %v has index %d, length %d", n, l, l.index(), l.Len())
		}
		all |= l
	}
	if all != AllLegs || all.String() != "11111111" || Nth(8) != 0b00000001 {
		t.Errorf("all are %v, the last is %v", all, Nth(8))
	}
	if Nth(0) != 0 || Nth(9) != 0 || Nth(-1) != 0 {
		t.Errorf("there is no octoleg %v, %v or %v", Nth(0), Nth(9), Nth(-1))
	}
}

func TestLegsGap(t *testing.T) {
	for l := range 256 {
		want, zero := false, false
		for i := range LegsPerBlock {
			want = want || zero && Legs(l).has(i)
			zero = zero || !Legs(l).has(i)
		}
		if got := Legs(l).gap(); got != want {
			t.Errorf("%v: gap %v, want %v", Legs(l), got, want)
		}
	}
}

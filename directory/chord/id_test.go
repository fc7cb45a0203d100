package chord

import (
	"math/big"
	"math/rand/v2"
	"net/netip"
	"testing"
)

func number(a ID) *big.Int { return new(big.Int).SetBytes(a[:]) }

// TestCircle compares with arithmetic modulo 2^160.
func TestCircle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	modulus := new(big.Int).Lsh(big.NewInt(1), Bits)
	draw := func() (a ID) {
		for i := range a {
			a[i] = byte(rng.Uint32())
			if rng.IntN(3) == 0 {
				a[i] = 0xff * byte(rng.IntN(2))
			}
		}
		return a
	}
	for range 20000 {
		a, b, x, bit := draw(), draw(), draw(), rng.IntN(Bits)
		if rng.IntN(4) == 0 {
			b = a
		}
		d := new(big.Int).Mod(new(big.Int).Sub(number(b), number(a)), modulus)
		if got := number(distance(a, b)); got.Cmp(d) != 0 {
			t.Fatalf("from %v to %v: %v, want %v", a, b, got, d)
		}
		if got := topBit(distance(a, b)); got != d.BitLen()-1 {
			t.Fatalf("top bit of %v: %d", d, got)
		}
		s := new(big.Int).Mod(new(big.Int).Add(number(a), new(big.Int).Lsh(big.NewInt(1), uint(bit))), modulus)
		if got := number(Start(a, bit)); got.Cmp(s) != 0 {
			t.Fatalf("%v + 2^%d: %v, want %v", a, bit, got, s)
		}
		dx := number(distance(a, x))
		inside := dx.Sign() > 0 && (dx.Cmp(d) < 0 || a == b)
		if got := between(a, x, b); got != inside {
			t.Fatalf("between(%v, %v, %v) = %v", a, x, b, got)
		}
	}
}

func TestHashAddr(t *testing.T) {
	a := HashAddr(netip.MustParseAddrPort("10.0.0.2:7777"))
	if a != HashName("10.0.0.2:7777") || a != HashAddr(netip.MustParseAddrPort("[::ffff:10.0.0.2]:7777")) {
		t.Errorf("the identifier of 10.0.0.2:7777 is %v", a)
	}
}

package checksum_test

import (
	"math/big"
	"math/rand/v2"
)

// oracle computes the checksum by arithmetic that has nothing in common with the package's: b is
// one big number, 2^16 is 1 modulo 2^16-1, so its remainder is the sum of its words.
func oracle(b []byte) uint16 {
	n := new(big.Int).SetBytes(b)
	if len(b)%2 != 0 {
		n.Lsh(n, 8)
	}
	if n.Sign() == 0 {
		return 0xffff // +0, complemented
	}
	r := n.Mod(n, big.NewInt(0xffff)).Uint64()
	if r == 0 {
		return 0 // -0, complemented
	}
	return ^uint16(r)
}

// randomBytes returns n bytes, the same ones for each n whenever it is called.
func randomBytes(n int) []byte {
	r := rand.New(rand.NewPCG(1071, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

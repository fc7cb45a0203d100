package chord

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
)

// A prover makes the tokens that prove that a node receives at its address. It keeps no state per node.
type prover struct{ block cipher.Block }

func newProver() *prover {
	var key [16]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	return &prover{block}
}

// token is a keyed digest of the address: two blocks of AES in CBC-MAC, over input of one length.
func (p *prover) token(a netip.AddrPort) uint64 {
	var b [16]byte
	binary.BigEndian.PutUint16(b[:], a.Port())
	p.block.Encrypt(b[:], b[:])
	ip := a.Addr().As16()
	for i := range b {
		b[i] ^= ip[i]
	}
	p.block.Encrypt(b[:], b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (p *prover) check(a netip.AddrPort, token uint64) bool { return p.token(a) == token }

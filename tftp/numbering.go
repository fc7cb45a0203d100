package tftp

// A numbering maps blocks, which are counted in 64 bits, to the numbers that
// they have on the wire, and back.
type numbering struct {
	wide  bool // four bytes, as in the UDP file delivery assignment, and not two
	toOne bool // after the highest number comes 1 and not 0
}

// modulus is how many blocks there are until a number comes again.
func (n numbering) modulus() int64 {
	m := int64(1) << 16
	if n.wide {
		m = 1 << 32
	}
	if n.toOne {
		m--
	}
	return m
}

// wire is the number of a block. Block 0 is what an OACK is acknowledged as.
func (n numbering) wire(block int64) uint32 {
	if n.toOne && block > 0 {
		return uint32((block-1)%n.modulus() + 1)
	}
	return uint32(block % n.modulus())
}

// near is the block closest to block ref that has the number, negative if
// there is none.
func (n numbering) near(number uint32, ref int64) int64 {
	if n.toOne && number == 0 {
		if ref > n.modulus()/2 {
			return -1
		}
		return 0
	}
	m := n.modulus()
	d := (int64(number) - int64(n.wire(ref))) % m
	switch {
	case d > m/2:
		d -= m
	case d < -m/2:
		d += m
	}
	return ref + d
}

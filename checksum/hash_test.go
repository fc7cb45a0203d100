package checksum_test

import (
	"bytes"
	"encoding"
	"hash"
	"io"
	"testing"

	"github.com/ferrygo/ferry/checksum"
)

// state is a hash that can be saved, as New's can.
type state interface {
	hash.Cloner
	encoding.BinaryAppender
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// hashOf returns a hash of b, written in one piece.
func hashOf(b []byte) state {
	h := checksum.New().(state)
	_, _ = h.Write(b) // never fails
	return h
}

// sumOf returns the checksum that h stands at.
func sumOf(h hash.Hash) uint16 {
	b := h.Sum(nil)
	return uint16(b[0])<<8 | uint16(b[1])
}

func TestHash(t *testing.T) {
	b := randomBytes(301)
	h := checksum.New()
	for _, end := range []int{0, 1, 1, 2, 5, 8, 140, 301} {
		h.Reset()
		n, err := io.CopyBuffer(h, io.LimitReader(bytes.NewReader(b), int64(end)), make([]byte, 7))
		if n != int64(end) || err != nil {
			t.Fatalf("wrote %d of %d bytes, error %v", n, end, err)
		}
		for range 2 { // Sum does not change the state
			if got, want := sumOf(h), oracle(b[:end]); got != want {
				t.Errorf("%d bytes: Sum = %#04x, want %#04x", end, got, want)
			}
		}
	}
	if h.Size() != checksum.Size || h.BlockSize() != checksum.BlockSize {
		t.Errorf("Size = %d, BlockSize = %d", h.Size(), h.BlockSize())
	}
	if got := h.Sum([]byte{0xab}); len(got) != 1+checksum.Size || got[0] != 0xab {
		t.Errorf("Sum(ab) = %x: does not append", got)
	}
}

func TestHashClone(t *testing.T) {
	h := hashOf([]byte{1, 2, 3})
	c, err := h.Clone()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte{4})
	if got, want := sumOf(c), oracle([]byte{1, 2, 3, 4}); got != want {
		t.Errorf("clone: Sum = %#04x, want %#04x", got, want)
	}
	if got, want := sumOf(h), oracle([]byte{1, 2, 3}); got != want {
		t.Errorf("original: Sum = %#04x, want %#04x", got, want)
	}
}

// TestHashState saves and restores at every place of a piece of data.
func TestHashState(t *testing.T) {
	b := randomBytes(67)
	for cut := range len(b) + 1 {
		saved, err := hashOf(b[:cut]).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		h := hashOf([]byte("something else"))
		if err := h.UnmarshalBinary(saved); err != nil {
			t.Fatal(err)
		}
		_, _ = h.Write(b[cut:])
		if got, want := sumOf(h), oracle(b); got != want {
			t.Errorf("cut at %d: Sum = %#04x, want %#04x", cut, got, want)
		}
	}
}

// TestHashStateBytes fixes the format: what one version saves, later ones read.
func TestHashStateBytes(t *testing.T) {
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "rfc1071\x01\x00\x00\x00"},
		{rfc1071, "rfc1071\x01\xdd\xf2\x00"},
		{rfc1071[:3], "rfc1071\x01\xf2\x01\x01"},
	} {
		got, err := hashOf(c.data).AppendBinary([]byte("prefix"))
		if err != nil || string(got) != "prefix"+c.want {
			t.Errorf("% x: state %q, error %v, want %q", c.data, got, err, "prefix"+c.want)
		}
	}
}

func TestHashStateBad(t *testing.T) {
	good, err := hashOf(rfc1071[:3]).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"longer":       append(bytes.Clone(good), 0),
		"other magic":  append([]byte("sha\x01"), good[4:]...),
		"other parity": append(bytes.Clone(good[:len(good)-1]), 2),
	}
	for n := range good {
		bad["prefix of "+string(rune('0'+n/10))+string(rune('0'+n%10))] = good[:n]
	}
	h := hashOf(rfc1071)
	for name, b := range bad {
		if err := h.UnmarshalBinary(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if got, want := sumOf(h), ^uint16(rfc1071Sum); got != want {
			t.Fatalf("%s: refused, and yet Sum is %#04x, was %#04x", name, got, want)
		}
	}
}

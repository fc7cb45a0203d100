package checksum_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/ferrygo/ferry/checksum"
)

// header is an IPv4 header with its checksum, b861, in bytes 10 and 11. Byte 8 is its time to
// live, bytes 12 to 15 are its source, 192.168.0.1.
func header() []byte {
	return []byte{
		0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
		0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
	}
}

// A sender zeroes the field, sums all of the header, and fills the field in.
func ExampleSum() {
	b := header()
	field := b[10:12]
	binary.BigEndian.PutUint16(field, 0)
	binary.BigEndian.PutUint16(field, checksum.Sum(b))
	fmt.Printf("%x\n", field)
	// Output: b861
}

// A receiver sums all of it, the checksum too.
func ExampleVerify() {
	b := header()
	fmt.Println(checksum.Verify(b))
	b[19]++
	fmt.Println(checksum.Verify(b))
	// Output:
	// true
	// false
}

// The parts of a packet need not lie next to each other, nor be sent at all.
func ExamplePartial() {
	var p checksum.Partial
	p.AddUint64(0x0123456789abcdef) // a session, known to both sides: a pseudo-header
	p.AddUint32(1)                  // sequence number
	p.AddUint16(0x5555)             // category
	p.Add([]byte("payload"))        // an odd length: a zero is counted, not sent
	fmt.Printf("%#04x\n", p.Sum())
	// Output: 0x4f54
}

// A payload that goes to many is summed once.
func ExamplePartial_AddPartial() {
	var payload checksum.Partial
	payload.Add([]byte("the same for all"))
	for id := range uint32(3) {
		var p checksum.Partial
		p.AddUint32(id)
		p.AddPartial(payload)
		fmt.Printf("%#04x\n", p.Sum())
	}
	// Output:
	// 0x290a
	// 0x2909
	// 0x2908
}

// Pieces may be cut anywhere.
func ExamplePartial_Add() {
	var p checksum.Partial
	for _, piece := range []string{"par", "", "t by p", "art"} {
		p.Add([]byte(piece))
	}
	fmt.Println(p.Sum() == checksum.Sum([]byte("part by part")))
	// Output: true
}

func ExamplePartial_AddUint16() {
	var p checksum.Partial
	p.AddUint16(0xaaaa)
	fmt.Printf("%#04x\n", p.Sum())
	// Output: 0x5555
}

func ExamplePartial_AddUint32() {
	var p checksum.Partial
	p.AddUint32(0x0001_0002)
	fmt.Printf("%#04x\n", p.Sum())
	// Output: 0xfffc
}

func ExamplePartial_AddUint64() {
	var p checksum.Partial
	p.AddUint64(0x0001_0002_0003_0004)
	fmt.Printf("%#04x\n", p.Sum())
	// Output: 0xfff5
}

// A trailer begins with a new word, after an odd payload that was padded.
func ExamplePartial_Pad() {
	var p checksum.Partial
	p.Add([]byte("odd"))
	p.Pad()
	p.Add([]byte("trailer"))
	fmt.Println(p.Sum() == checksum.Sum([]byte("odd\x00trailer")))
	// Output: true
}

// Sum may be asked at any time.
func ExamplePartial_Sum() {
	var p checksum.Partial
	fmt.Printf("%#04x\n", p.Sum())
	p.AddUint16(0x1234)
	fmt.Printf("%#04x\n", p.Sum())
	p.AddUint16(0xedcb)
	fmt.Printf("%#04x\n", p.Sum())
	// Output:
	// 0xffff
	// 0xedcb
	// 0x0000
}

// A receiver adds the checksum that came with the packet to the sum of its data.
func ExamplePartial_Verify() {
	const received = 0x4f54
	var p checksum.Partial
	p.AddUint64(0x0123456789abcdef)
	p.AddUint32(1)
	p.AddUint16(received)
	p.AddUint16(0x5555)
	p.Add([]byte("payload"))
	fmt.Println(p.Verify())
	// Output: true
}

// A router takes one off the time to live: a single byte, at an even offset.
func ExampleUpdate() {
	b := header()
	sum := binary.BigEndian.Uint16(b[10:])
	sum = checksum.Update(sum, 8, b[8:9], []byte{b[8] - 1})
	fmt.Printf("%#04x\n", sum)
	// Output: 0xb961
}

func ExampleUpdateUint16() {
	b := header()
	sum := binary.BigEndian.Uint16(b[10:])
	sum = checksum.UpdateUint16(sum, 4, 0x0000, 0x1234) // the identification
	binary.BigEndian.PutUint16(b[4:], 0x1234)
	binary.BigEndian.PutUint16(b[10:], sum)
	fmt.Printf("%#04x %v\n", sum, checksum.Verify(b))
	// Output: 0xa62d true
}

// Address translation changes the source.
func ExampleUpdateUint32() {
	b := header()
	sum := binary.BigEndian.Uint16(b[10:])
	sum = checksum.UpdateUint32(sum, 12, 0xc0a80001, 0x0a000007)
	binary.BigEndian.PutUint32(b[12:], 0x0a000007)
	binary.BigEndian.PutUint16(b[10:], sum)
	fmt.Printf("%#04x %v\n", sum, checksum.Verify(b))
	// Output: 0x6f04 true
}

func ExampleNew() {
	h := checksum.New()
	if _, err := io.Copy(h, strings.NewReader("any stream of bytes")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%x\n", h.Sum(nil))
	// Output: 0dbb
}

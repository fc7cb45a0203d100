package pcapng

import (
	"encoding/binary"

	"github.com/ferrygo/ferry/lossy"
)

// The format is that of the Internet-Draft draft-ietf-opsawg-pcapng. All
// numbers are little-endian, which the file's header says.
const (
	blockFile      = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6 // "enhanced packet block"

	byteOrder = 0x1a2b3c4d

	// linkEthernet is LINKTYPE_ETHERNET. (Without Ethernet headers there
	// would be LINKTYPE_RAW, of which libpcap reads one interface only.)
	linkEthernet = 1

	optionEnd     = 0
	optionComment = 1
	optionFlags   = 2 // of a packet: 1 is inbound, 2 is outbound
	optionName    = 2 // of an interface
	optionTimes   = 9 // of an interface: the negative power of ten of a tick
)

// The interfaces of a file, in order.
var interfaces = [...]string{"passed", "dropped"}

var little = binary.LittleEndian

// A block is built by appending its body to what appendBlock returns, and
// then calling end.
func appendBlock(b []byte, kind uint32) (start int, _ []byte) {
	start = len(b)
	b = little.AppendUint32(b, kind)
	return start, little.AppendUint32(b, 0) // the length
}

// endBlock ends the options and the block that began at start.
func endBlock(b []byte, start int) []byte {
	b = little.AppendUint32(b, optionEnd)
	length := uint32(len(b) - start + 4)
	little.PutUint32(b[start+4:], length)
	return little.AppendUint32(b, length)
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	value = value[:min(len(value), 1<<16-1)]
	b = little.AppendUint16(b, code)
	b = little.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...), len(value))
}

// pad makes what follows n bytes begin at a multiple of four.
func pad(b []byte, n int) []byte {
	for ; n%4 != 0; n++ {
		b = append(b, 0)
	}
	return b
}

func appendFileHeader(b []byte) []byte {
	start, b := appendBlock(b, blockFile)
	b = little.AppendUint32(b, byteOrder)
	b = little.AppendUint16(b, 1) // version 1.0
	b = little.AppendUint16(b, 0)
	b = little.AppendUint64(b, 1<<64-1) // of unknown length
	return endBlock(b, start)
}

func appendInterface(b []byte, name string) []byte {
	start, b := appendBlock(b, blockInterface)
	b = little.AppendUint16(b, linkEthernet)
	b = little.AppendUint16(b, 0) // reserved
	b = little.AppendUint32(b, 0) // packets are not cut off
	b = appendOption(b, optionName, []byte(name))
	b = appendOption(b, optionTimes, []byte{9})
	return endBlock(b, start)
}

// appendPacket appends the block of one packet.
func appendPacket(b []byte, e lossy.Event) []byte {
	start, b := appendBlock(b, blockPacket)
	on, flags := uint32(0), uint32(2)
	if e.Verdict == lossy.Dropped {
		on = 1
	}
	if e.Direction == lossy.Incoming {
		flags = 1
	}
	at := uint64(e.Time.UnixNano())
	b = little.AppendUint32(b, on)
	b = little.AppendUint32(b, uint32(at>>32))
	b = little.AppendUint32(b, uint32(at))
	lengths := len(b)
	b = little.AppendUint64(b, 0) // captured and original length
	data := len(b)
	b, whole := appendFrame(b, e)
	captured := len(b) - data
	little.PutUint32(b[lengths:], uint32(captured))
	little.PutUint32(b[lengths+4:], uint32(whole))
	b = pad(b, captured)
	b = appendOption(b, optionFlags, little.AppendUint32(nil, flags))
	b = appendOption(b, optionComment, []byte(comment(e)))
	return endBlock(b, start)
}

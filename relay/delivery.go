package relay

import (
	"bytes"
	"strconv"
)

// maxBatch is the maximum size of a delivery with more than one message.
const maxBatch = 64 << 10

// exit is the message that ends a client: CSCI 351 project 4, "Handler function for a Thread".
const exit = "exit"

// A delivery is one or more messages of one client, encoded once for all receivers. It does not change.
type delivery struct {
	data     []byte // complete lines
	messages int
}

// maxLabel is the length of the longest label.
const maxLabel = len("18446744073709551615: ")

// labelled reports whether b begins with "ID: " or "* ", as a Server's lines do.
func labelled(b []byte) bool {
	afterID := bytes.TrimLeft(b, "0123456789")
	return bytes.HasPrefix(b, []byte("* ")) || len(afterID) < len(b) && bytes.HasPrefix(afterID, []byte(": "))
}

// A batcher encodes the messages of one client. label is "ID: ".
type batcher struct {
	label []byte
	delivery
}

func newBatcher(id uint64) *batcher {
	return &batcher{label: append(strconv.AppendUint(nil, id, 10), ": "...)}
}

// fits reports whether the delivery has room for text.
func (b *batcher) fits(text []byte) bool {
	return b.messages == 0 || len(b.data)+b.length(text) <= maxBatch
}

func (b *batcher) length(text []byte) int { return len(b.label) + len(text) + 1 }

// add encodes a message. rest holds the bytes read after it: the first message allocates room for the lines in rest. It
// allocates no more, because a delivery may stay in a queue for a long time.
func (b *batcher) add(text, rest []byte) {
	if b.messages == 0 {
		size := b.length(text)
		lines := rest[:bytes.LastIndexByte(rest, '\n')+1]
		more := len(lines) + bytes.Count(lines, []byte{'\n'})*len(b.label)
		b.data = make([]byte, 0, max(size, min(size+more, maxBatch)))
	}
	b.data = append(b.data, b.label...)
	b.data = append(b.data, text...)
	b.data = append(b.data, '\n')
	b.messages++
}

// take returns the delivery, and starts the next one.
func (b *batcher) take() delivery {
	d := b.delivery
	b.delivery = delivery{}
	return d
}

// appendNotice encodes a line of the server.
func appendNotice(b []byte, text string) []byte {
	b = append(b, "* "...)
	b = append(b, oneLine(text)...)
	return append(b, '\n')
}

func notice(text string) delivery { return delivery{data: appendNotice(nil, text), messages: 1} }

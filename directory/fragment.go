package directory

import "bytes"

// A fragmented message is sent as several datagrams of one type and TOTAL, numbered from
// 1: "A function send_udp_data() fragments the message" (CEN 502 project 2, part II,
// 1.2.1). A field is never cut in two: each datagram reads like a message of its own.
type fragments struct {
	typ  Type
	body []byte
	ends []int // where each fragment's part of the body ends
}

// cutRequest cuts a request. A body of nothing is one fragment.
func cutRequest(typ Type, body []byte) fragments {
	f := fragments{typ: typ, body: body}
	f.cut(0)
	return f
}

// cut appends the ends of the fragments from offset on. A field that is longer than a
// datagram gets one all the same, longer than MaxDatagram: names are bounded so that
// there is none.
func (f *fragments) cut(from int) {
	const room = MaxDatagram - len("1 ") - tailRoom
	for start := from; ; {
		end := len(f.body)
		if end-start > room {
			end = start + room
			if i := bytes.LastIndexByte(f.body[start:end], ' '); i >= 0 {
				end = start + i + 1
			} else {
				end += bytes.IndexByte(f.body[end:], ' ') + 1
			}
		}
		f.ends = append(f.ends, end)
		if end == len(f.body) {
			return
		}
		start = end
	}
}

// total is the number of fragments.
func (f *fragments) total() int { return len(f.ends) }

// at returns fragment seq, from 1. Its body aliases f's.
func (f *fragments) at(seq int) packet {
	start := 0
	if seq > 1 {
		start = f.ends[seq-2]
	}
	return packet{typ: f.typ, body: f.body[start:f.ends[seq-1]], seq: seq, total: f.total()}
}

package directory

import "bytes"

// A fragmented message is sent as several datagrams of one type and TOTAL, numbered
// from 1: "A function send_udp_data() fragments the message" (CEN 502 project 2, part
// II, 1.2.1). A field is never cut in two: each datagram reads like a message of its
// own.
type fragments struct {
	typ  Type
	body []byte
	ends []int // where each fragment's part of the body ends
}

// cut cuts a body into fragments, each short enough that extra bytes more still fit. A
// body of nothing is one fragment. A field that is longer than a datagram gets one all
// the same, longer than MaxDatagram: names are bounded so that there is none.
func cut(typ Type, body []byte, extra int) fragments {
	room := MaxDatagram - len("1 ") - tailRoom - extra
	f := fragments{typ: typ, body: body}
	for start := 0; ; {
		end := len(body)
		if end-start > room {
			end = start + room
			if i := bytes.LastIndexByte(body[start:end], ' '); i >= 0 {
				end = start + i + 1
			} else {
				end += bytes.IndexByte(body[end:], ' ') + 1
			}
		}
		f.ends = append(f.ends, end)
		if end == len(body) {
			return f
		}
		start = end
	}
}

// cutAnswer cuts an answer's body. Its first fragment is the token alone, and each
// other begins with it, or with a hyphen where there is none.
func cutAnswer(typ Type, body, token []byte) fragments {
	content := cut(typ, body, len(token)+2)
	f := fragments{typ: typ, body: make([]byte, 0, len(body)+(content.total()+1)*(len(token)+2))}
	if len(token) > 0 {
		f.body = append(append(f.body, token...), ' ')
	} else {
		token = noToken
	}
	f.ends = append(f.ends, len(f.body))
	for i := range content.ends {
		f.body = append(append(f.body, token...), ' ')
		f.body = append(f.body, content.at(i+1).body...)
		f.ends = append(f.ends, len(f.body))
	}
	return f
}

var noToken = []byte("-")

// total is the number of fragments.
func (f fragments) total() int { return len(f.ends) }

// at returns fragment seq, from 1. Its body aliases f's.
func (f fragments) at(seq int) packet {
	start := 0
	if seq > 1 {
		start = f.ends[seq-2]
	}
	return packet{typ: f.typ, body: f.body[start:f.ends[seq-1]], seq: seq, total: f.total()}
}

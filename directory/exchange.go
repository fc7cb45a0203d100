package directory

import (
	"bytes"
	"time"

	"github.com/ferrygo/ferry"
)

// An exchange is one request of a client, from its first fragment to the end of the
// answer. It reads no socket and no clock.
//
//	client                            directory
//	  |---- 2 new.txt  1 1 ------------->|
//	  |<--- 2 new.txt  2 1 --------------|   acknowledged
//	  |<--- 6 xT3wL0a  1 2 --------------|   the answer: a token first,
//	  |---- 6 xT3wL0a  2 1 ------------->|   which only its addressee can repeat,
//	  |<--- 6 xT3wL0a new.txt 10.0.0.2 80  2 2 --|   and then what was asked for
//	  |---- 6 xT3wL0a new.txt 10.0.0.2 80  3 2 ->|
type exchange struct {
	typ     Type
	key     string // the request's first field, which the answer repeats
	request fragments
	giveUp  time.Duration
	timer   *timer // of the client, from one exchange to the next

	current int  // the fragment of the request in flight; total+1 when all are acknowledged
	restart bool // fragment 1 is in flight instead: the directory may have forgotten the rest
	tries   int  // of it
	sent    time.Time
	due     time.Time
	moved   time.Time // the last progress
	heard   bool      // the directory has said something that belongs here

	answerType Type
	total      int    // of the answer; 0 before its first fragment
	next       int    // the answer's fragment that is expected
	token      []byte // that each of its fragments begins with
	body       []byte // of the answer so far, without the token
	latest     []byte // the answer's fragment accepted last

	answer []string // decoded, when it is whole
	err    error
	done   bool

	packets int // sent
	again   int // of those, sent again
	bad     int // received and ignored
}

// restartTries is the number of tries of a fragment before the request begins again.
// A late copy of an earlier request's first fragment makes a directory forget what it
// had of this one.
const restartTries = 12

// maxAnswer bounds what a client takes from a directory.
const maxAnswer = 16 << 20

func newExchange(now time.Time, typ Type, key string, body []byte, t *timer, giveUp time.Duration) *exchange {
	return &exchange{
		typ: typ, key: key, request: cut(typ, body, 0), timer: t, giveUp: giveUp,
		current: 1, due: now, moved: now,
	}
}

// wantsAnswer reports whether the request is done only with an answer.
func (x *exchange) wantsAnswer() bool { return x.typ == Lookup || x.typ == View }

// step appends to b the datagram to send at now, if there is one, and says when to
// ask again.
func (x *exchange) step(now time.Time, b []byte) (_ []byte, wake time.Time) {
	end := x.moved.Add(x.giveUp)
	switch {
	case x.done:
		return b, now
	case !now.Before(end):
		x.done, x.err = true, ferry.ErrNoAnswer
		if x.heard {
			x.err = ferry.ErrSilent
		}
		return b, now
	case now.Before(x.due):
		return b, earlier(x.due, end)
	}
	if x.tries > 0 {
		x.timer.timedOut()
		x.again++
	}
	if x.tries == restartTries && x.current <= x.request.total() {
		// Both are tried in turns: the directory was restarted, or it still waits for
		// this fragment.
		x.restart, x.tries = !x.restart && x.current > 1, 0
	}
	if x.tries == 0 {
		x.sent = now
	}
	x.tries++
	x.packets++
	x.due = now.Add(x.timeout())
	// While the answer is awaited the last fragment goes again: either the directory
	// acknowledges it, and is at work on the answer, or it takes it for the request
	// that it is.
	return appendPacket(b, x.request.at(x.flying())), earlier(x.due, end)
}

// flying is the fragment of the request in flight.
func (x *exchange) flying() int {
	if x.restart {
		return 1
	}
	return min(x.current, x.request.total())
}

// arrived takes a datagram of the directory, and appends to ack the one that it is to
// be answered with, if any. The error says why it was ignored.
func (x *exchange) arrived(now time.Time, b, ack []byte) ([]byte, error) {
	p, err := parsePacket(b)
	switch {
	case len(b) > readSize:
		return ack, ErrTooLong
	case err != nil:
		return ack, err
	case p.isAck():
		return ack, x.acked(now, p)
	case p.typ.isAnswer():
		return x.answered(now, p, b, ack)
	}
	return ack, ErrUnexpected // a request: only a directory takes those
}

// acked takes the acknowledgement of a fragment of the request.
func (x *exchange) acked(now time.Time, p packet) error {
	if x.current > x.request.total() {
		if p.acknowledges(x.request.at(x.request.total())) {
			x.timer.heard() // once more, while the answer is awaited
			return nil
		}
		return ErrUnexpected
	}
	if !p.acknowledges(x.request.at(x.flying())) {
		return ErrUnexpected
	}
	if x.tries == 1 {
		x.timer.sample(now.Sub(x.sent))
	} else {
		x.timer.heard()
	}
	x.progress(now)
	x.current = x.flying() + 1
	x.restart, x.tries = false, 0
	x.due = now
	if x.current > x.request.total() {
		x.done = !x.wantsAnswer()
		x.awaitAnswer(now)
	}
	return nil
}

// awaitAnswer sets the timer after which the request is sent once more.
func (x *exchange) awaitAnswer(now time.Time) {
	x.tries = 1
	x.due = now.Add(x.timeout())
}

// timeout is how long to wait for the directory. If its answer was lost, the directory
// sends it again after its own timer, which is not measured before the first fragment is
// acknowledged. So the client's timer runs longer than the directory's.
func (x *exchange) timeout() time.Duration {
	d := x.timer.timeout()
	if x.current > x.request.total() {
		d = max(d, 2*initialTimeout)
	}
	return d
}

func (x *exchange) progress(now time.Time) {
	x.moved, x.heard = now, true
}

// answered takes a fragment of an answer.
func (x *exchange) answered(now time.Time, p packet, b, ack []byte) ([]byte, error) {
	switch {
	case p.seq == x.next-1 && bytes.Equal(b, x.latest):
		x.timer.heard()
		return appendPacket(ack, ackOf(p)), nil
	case p.seq == 1:
		// The first fragment, or that of another answer.
		x.answerType, x.total, x.next, x.body = p.typ, p.total, 1, nil
		x.token = bytes.Clone(bytes.TrimSuffix(p.body, []byte{' '}))
		if len(x.token) == 0 {
			x.token = noToken
		}
	case x.total == 0, p.seq != x.next, p.total != x.total, p.typ != x.answerType:
		return ack, ErrUnexpected
	default:
		token, content := nextWord(p.body)
		if !bytes.Equal(token, x.token) {
			return ack, ErrUnexpected // of an answer that was on its way for long
		}
		if err := checkBody(content); err != nil {
			return ack, err
		}
		if len(x.body)+len(content) > maxAnswer {
			x.done, x.err = true, ErrTooLong
			return ack, ErrTooLong
		}
		x.body = append(x.body, content...)
	}
	x.timer.heard()
	x.progress(now)
	if x.wantsAnswer() {
		// The request has arrived, even if the acknowledgement was lost.
		x.current, x.restart = x.request.total()+1, false
		x.awaitAnswer(now)
	}
	x.latest = append(x.latest[:0], b...)
	x.next++
	ack = appendPacket(ack, ackOf(p))
	if x.next > x.total {
		return ack, x.finish(now)
	}
	return ack, nil
}

// finish looks at the answer, now that it is whole. One to another request (it was on
// its way for long) is forgotten, and the request sent again.
func (x *exchange) finish(now time.Time) error {
	fields, err := splitBody(x.body)
	if err == nil {
		err = x.judge(fields)
	}
	if err == ErrUnexpected {
		x.total, x.body = 0, nil
		x.due = now
		return err
	}
	x.done, x.err = true, err
	x.answer = fields
	return nil
}

// judge says whether an answer is to this request.
func (x *exchange) judge(fields []string) error {
	switch {
	case x.answerType == Failure:
		return parseFailure(fields, x.typ, x.key)
	case x.typ == Lookup && x.answerType == Found, x.typ == View && x.answerType == Listing:
		if len(fields) > 0 && fields[0] == x.key {
			return nil
		}
	}
	return ErrUnexpected
}

// splitBody decodes the fields of a body.
func splitBody(body []byte) ([]string, error) {
	fields := make([]string, 0, bytes.Count(body, []byte{' '}))
	for len(body) > 0 {
		var word []byte
		word, body = nextWord(body)
		f, err := parseField(word)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

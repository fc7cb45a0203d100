package octoput

import (
	"net/netip"
	"time"
)

// asked takes an OPEN that asks for a file.
//
// What is sent in return is an OPEN of the same length, or an ERR, which is shorter. It
// is repeated when the question is, and not otherwise; and only whoever got it knows
// the session that must be in its ACK. So a question with somebody else's address in it
// makes Serve send that address nothing more than came in its name.
func (v *dispatch) asked(now time.Time, from netip.AddrPort, p Packet) error {
	for _, d := range v.deliveries {
		if d.peer == from && d.answers == p.Session {
			d.report.Duplicates++
			if s := d.repeat(now); s.kind != 0 {
				return v.shoot(now, d, s)
			}
			return nil
		}
	}
	question, err := ParseOpening(p.Payload)
	if err == nil && (question.Size != 0 || question.Answers != 0) {
		err = ErrSize
	}
	if err != nil {
		v.ignored(from, nil, err)
		return nil
	}
	if len(v.deliveries) >= v.room && !v.vacate(now) {
		v.refuse(from, p, question, ErrBusy)
		return nil
	}
	file, size, err := openFile(v.fsys, question.Name)
	if err != nil {
		v.refuse(from, p, question, err)
		return nil
	}
	d := v.newDelivery(now, from, Source{R: file, Size: size, Name: question.Name})
	d.file, d.answers = file, p.Session
	d.outbound.asked = true
	if v.trace.Accepted != nil {
		v.trace.Accepted(d.offer())
	}
	err = v.admit(now, d)
	d.opened = time.Now() // to open the file may have taken its time
	return err
}

// refuse answers a question with an ERR.
func (v *dispatch) refuse(from netip.AddrPort, p Packet, question Opening, err error) {
	v.tell(from, p.Session, 0, codeOf(err, CodeRefused))
	if v.trace.Finished != nil {
		o := Offer{Peer: from, Session: p.Session, Name: question.Name}
		v.trace.Finished(o, Report{Peer: from, Session: p.Session, Name: question.Name}, err)
	}
}

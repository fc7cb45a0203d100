package octoput

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"path/filepath"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/internal/datagram"
)

// asked takes an OPEN that asks for a file.
//
// The answer is an OPEN of the same length, or an ERR, which is shorter. It is repeated
// only when the question is repeated. Only a client that received the answer knows
// the session that must be in its ACK. So a
// question with a forged source address makes Serve send at most as many bytes to that
// address as the question had.
func (v *sendCall) asked(now time.Time, pkt datagram.Packet, p Packet) error {
	from, local := pkt.Addr, pkt.Local
	for _, d := range v.transfers {
		if d.peer == from && d.answers == p.Session {
			d.report.Duplicates++
			if s := d.repeat(now); s.kind != 0 {
				return v.send(now, d, s)
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
	if !v.makeRoom(now, from) {
		v.refuse(from, local, p, question, errBusy)
		return nil
	}
	src, err := v.open(from, question.Name)
	if err != nil {
		v.refuse(from, local, p, question, err)
		return nil
	}
	d := v.newSendTransfer(now, from, src)
	d.file, _ = src.R.(io.Closer)
	d.answers, d.local = p.Session, local
	d.sendState.asked = true
	if v.trace.Accepted != nil {
		v.trace.Accepted(TransferEvent{Addr: d.offer().Addr, Offer: d.offer()})
	}
	err = v.admit(now, d)
	d.opened = time.Now() // to open the file may have taken its time
	d.progress = d.opened
	return err
}

// open opens a file that was asked for.
func (v *sendCall) open(from netip.AddrPort, name string) (ferry.Source, error) {
	if path.Clean(name) != name || !filepath.IsLocal(name) {
		return ferry.Source{}, fs.ErrInvalid
	}
	src, err := v.files.Open(v.ctx, ferry.Request{Addr: from, Name: name})
	if err != nil {
		return ferry.Source{}, err
	}
	src.Name = name // what was asked for
	if err := checkSource(&src); err != nil {
		if c, ok := src.R.(io.Closer); ok {
			err = errors.Join(err, c.Close())
		}
		return ferry.Source{}, err
	}
	return src, nil
}

// refuse answers a question with an ERR.
func (v *sendCall) refuse(from netip.AddrPort, local netip.Addr, p Packet, question Opening, err error) {
	v.tell(from, local, p.Session, 0, codeOf(err, CodeRefused))
	if v.trace.Finished != nil {
		o := ferry.Offer{Addr: from, Session: uint64(p.Session), Name: question.Name}
		v.trace.Finished(TransferEvent{o.Addr, o, Report{Addr: from, Session: p.Session, Name: question.Name}, err})
	}
}

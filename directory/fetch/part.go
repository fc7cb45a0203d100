package fetch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// A part is what is there of the file: .NAME.part, which the next call resumes. A try
// that begins again from the first byte writes to a second file, .NAME.again.part, and
// takes the place of the first when it holds more. So a source that begins again and
// fails costs nothing.
//
//	.NAME.part          kept
//	.NAME.again.part    again
//	.DIGEST.etag        the validator of kept, if it has one; DIGEST is of NAME
type part struct {
	root *os.Root
	name string

	kept, again *partFile
	at          *partFile // the one that is written to; nil before open
	fresh       bool      // kept did not exist before this call
}

// A partFile is a file that holds the first bytes, or pieces, of the file being fetched.
type partFile struct {
	file      *wholefile.File
	have      int64 // bytes that count
	resumed   int64 // those that were there before this call
	prefix    bool  // they are the first bytes of the file, without holes
	validator string
	from      *source           // the source that delivered all of them; nil if several did
	bytes     map[*source]int64 // that each source delivered
}

// open opens what an earlier call kept.
func (p *part) open() error {
	if p.at != nil {
		return nil
	}
	file, have, err := wholefile.Resume(p.root, p.name, 0)
	if err != nil {
		return localError{err}
	}
	p.kept = &partFile{file: file, have: have, resumed: have, bytes: make(map[*source]int64)}
	p.kept.validator, p.kept.prefix = p.loadValidator()
	p.at, p.fresh = p.kept, have == 0
	return nil
}

// resume makes the kept file the one that is written to.
func (p *part) resume() {
	if p.again != nil {
		_ = p.again.file.Abort()
	}
	p.at, p.again = p.kept, nil
}

// restart makes an empty file the one that is written to.
func (p *part) restart() error {
	if p.at == p.kept && p.kept.have > 0 {
		if p.again == nil {
			file, _, err := wholefile.ResumeTagged(p.root, p.name, "again", 0)
			if err != nil {
				return localError{err}
			}
			p.again = &partFile{file: file}
		}
		p.at = p.again
	}
	p.discard()
	return p.truncate(0)
}

// continuation says where to go on with what a source has: from which byte, and on which
// condition. digestTells says that a digest will detect the bytes of another version;
// then no condition is necessary.
func (p *part) continuation(a about, digestTells bool) (from int64, condition string) {
	for _, f := range []*partFile{p.again, p.kept} {
		if f != nil && f.prefix && f.have > 0 && f.validator != "" && f.validator == a.validator {
			p.at = f
			return f.have, f.validator
		}
	}
	p.at = p.kept
	switch {
	case !p.kept.prefix || p.kept.have == 0:
	case digestTells && (a.size < 0 || p.kept.have <= a.size):
		return p.kept.have, ""
	case p.kept.validator != "":
		return p.kept.have, p.kept.validator
	}
	return 0, ""
}

func (p *part) truncate(size int64) error {
	if err := p.at.file.Truncate(size); err != nil {
		return localError{err}
	}
	return nil
}

// discard says that the bytes that are there do not count any more.
func (p *part) discard() {
	if p.at == p.kept {
		// Before other bytes are written: a validator must never stand beside these.
		p.forgetValidator()
	}
	*p.at = partFile{file: p.at.file, prefix: true, bytes: make(map[*source]int64)}
}

// deliveredBy notes which source delivers what follows, and its validator.
func (p *part) deliveredBy(s *source, validator string) error {
	if p.at.have == 0 {
		p.at.from = s
	} else if p.at.from != s {
		p.at.from = nil
	}
	p.at.validator = validator
	if p.at != p.kept {
		return nil
	}
	return p.saveValidator()
}

// scatter says that the file holds pieces in any order, of have bytes.
func (p *part) scatter(have int64) {
	if p.at == p.kept {
		p.forgetValidator()
	}
	*p.at = partFile{file: p.at.file, have: have, resumed: have, bytes: p.at.bytes}
}

// write stores bytes of a source.
func (p *part) write(s *source, b []byte, offset int64) error {
	if _, err := p.at.file.WriteAt(b, offset); err != nil {
		return localError{err}
	}
	p.at.have += int64(len(b))
	p.at.bytes[s] += int64(len(b))
	if p.at == p.again && p.again.have > p.kept.have {
		return p.supersede()
	}
	return nil
}

// reject takes back n bytes of a source.
func (p *part) reject(s *source, n int) {
	p.at.have -= int64(n)
	p.at.bytes[s] -= int64(n)
}

// supersede puts again in the place of kept.
func (p *part) supersede() error {
	p.forgetValidator()
	if err := p.again.file.Supersede(p.kept.file); err != nil {
		return localError{err}
	}
	p.kept, p.again = p.again, nil
	return p.saveValidator()
}

// commit gives the file its name.
func (p *part) commit() error {
	if err := p.at.file.Commit(true); err != nil {
		return localError{err}
	}
	if p.at == p.again {
		_ = p.kept.file.Abort()
	}
	p.forgetValidator()
	return nil
}

// end closes what is open. It keeps what is of use to the next call.
func (p *part) end() {
	if p.at == nil {
		return
	}
	p.resume()
	if p.kept.have == 0 {
		_ = p.kept.file.Abort()
		p.forgetValidator()
		return
	}
	_ = p.kept.file.Keep()
}

// validatorName is the file that holds the validator. It is not the name of the part
// with a suffix: that name may be as long as a name can be.
func (p *part) validatorName() string {
	sum := sha256.Sum256([]byte(p.name))
	return fmt.Sprintf(".%s.etag", hex.EncodeToString(sum[:8]))
}

// noValidator stands in the file for the first bytes of a file without a validator.
const noValidator = "-"

// loadValidator returns the validator of the kept bytes, and whether they are the first
// bytes of the file. Without the validator's file they are pieces in any order.
func (p *part) loadValidator() (v string, prefix bool) {
	b, err := p.root.ReadFile(p.validatorName())
	if err != nil || len(b) > 1024 {
		return "", false
	}
	v = string(b)
	if _, err := http.ParseTime(v); err == nil || isStrongTag(v) {
		return v, true
	}
	return "", v == noValidator
}

func (p *part) saveValidator() error {
	if !p.kept.prefix {
		p.forgetValidator()
		return nil
	}
	v := cmp.Or(p.kept.validator, noValidator)
	if err := p.root.WriteFile(p.validatorName(), []byte(v), 0o600); err != nil {
		return localError{err}
	}
	return nil
}

// forgetValidator removes the file, if it is there. If that fails, the next call sends
// the wrong validator, and the source answers with the whole file.
func (p *part) forgetValidator() { _ = p.root.Remove(p.validatorName()) }

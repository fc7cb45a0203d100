package directory

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// PieceLength is how many bytes of a file each digest of a piece list is of.
const PieceLength = 1 << 20

// maxFileSize bounds the files of which there are piece lists: 256 GiB, for which a
// list takes 8 MiB of memory.
const maxFileSize = 256 << 30

// Pieces are the digests of a file: of the whole, and of each MiB. The list of NAME is
// served beside it, at /pieces/NAME, as lines of text that each end with a line feed:
//
//	SIZE 1048576 SHA256      of the whole, SIZE in bytes, SHA256 in hexadecimal digits
//	SHA256                   of the first MiB
//	SHA256                   of the second ...
//
// The last piece may be shorter than a MiB. An empty file has none.
type Pieces struct {
	Size   int64
	SHA256 [32]byte
	Sums   [][32]byte
}

// piecesOf returns how many pieces a file has.
func piecesOf(size int64) int { return int((size + PieceLength - 1) / PieceLength) }

// length is that of piece i.
func (p *Pieces) length(i int) int {
	return int(min(p.Size-int64(i)*PieceLength, PieceLength))
}

// AppendText appends the list as it is served. It never fails.
func (p *Pieces) AppendText(b []byte) ([]byte, error) {
	b = strconv.AppendInt(b, p.Size, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, PieceLength, 10)
	b = append(b, ' ')
	b = append(hex.AppendEncode(b, p.SHA256[:]), '\n')
	for _, sum := range p.Sums {
		b = append(hex.AppendEncode(b, sum[:]), '\n')
	}
	return b, nil
}

// ReadPieces reads a list. It fails with an error that wraps [ErrResponse] if it is not
// one, or is one of a file of more than 256 GiB.
func ReadPieces(r io.Reader) (*Pieces, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 256), 256)
	p, err := readPiecesHeader(lines)
	if err != nil {
		return nil, err
	}
	// The list grows as it arrives, whatever the first line says about its length.
	for range piecesOf(p.Size) {
		sum, err := nextSum(lines)
		if err != nil {
			return nil, err
		}
		p.Sums = append(p.Sums, sum)
	}
	if lines.Scan() {
		return nil, fmt.Errorf("%w: a piece list with too many lines", ErrResponse)
	}
	return p, lines.Err()
}

func readPiecesHeader(lines *bufio.Scanner) (*Pieces, error) {
	lines.Scan()
	words := strings.Split(lines.Text(), " ")
	if len(words) != 3 || words[1] != strconv.Itoa(PieceLength) {
		return nil, fmt.Errorf("%w: not a piece list", ErrResponse)
	}
	size, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || size < 0 || size > maxFileSize {
		return nil, fmt.Errorf("%w: a piece list with size %q", ErrResponse, words[0])
	}
	p := &Pieces{Size: size}
	if !parseSum(&p.SHA256, words[2]) {
		return nil, fmt.Errorf("%w: a piece list without a digest", ErrResponse)
	}
	return p, nil
}

func nextSum(lines *bufio.Scanner) (sum [32]byte, err error) {
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return sum, err
		}
		return sum, fmt.Errorf("%w: half a piece list", ErrResponse)
	}
	if !parseSum(&sum, lines.Text()) {
		return sum, fmt.Errorf("%w: a piece list with a line that is no digest", ErrResponse)
	}
	return sum, nil
}

func parseSum(sum *[32]byte, s string) bool {
	if len(s) != 64 {
		return false
	}
	_, err := hex.Decode(sum[:], []byte(s))
	return err == nil
}

// sum is the digest of the pieces' digests, which tells whether two lists are the same.
func (p *Pieces) sum() (sum [32]byte) {
	h := sha256.New()
	for i := range p.Sums {
		h.Write(p.Sums[i][:])
	}
	h.Sum(sum[:0])
	return sum
}

// digest reads a file and returns its digests. done ends it early.
func digest(f *os.File, size int64, done <-chan struct{}) (*Pieces, error) {
	p := &Pieces{Size: size}
	if size > maxFileSize {
		return nil, ErrTooLarge
	}
	whole := sha256.New()
	bufs := [2][]byte{make([]byte, min(size, PieceLength)), make([]byte, min(size, PieceLength))}
	written := make(chan struct{}, 1)
	written <- struct{}{}
	for i := range piecesOf(size) {
		select {
		case <-done:
			return nil, os.ErrClosed
		default:
		}
		b := bufs[i%2][:p.length(i)]
		if _, err := f.ReadAt(b, int64(i)*PieceLength); err != nil {
			return nil, err
		}
		<-written
		go func() { // the whole and the pieces at the same time
			whole.Write(b)
			written <- struct{}{}
		}()
		p.Sums = append(p.Sums, sha256.Sum256(b))
	}
	<-written
	whole.Sum(p.SHA256[:0])
	return p, nil
}

// etag is the file's strong validator (RFC 9110, section 8.8.3).
func (p *Pieces) etag() string { return `"` + hex.EncodeToString(p.SHA256[:]) + `"` }

// reprDigest is the value of Repr-Digest (RFC 9530, section 3).
func (p *Pieces) reprDigest() string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(p.SHA256[:]) + ":"
}

// parseReprDigest finds a SHA-256 in a Repr-Digest field.
func parseReprDigest(field string) (sum [32]byte, ok bool) {
	for member := range strings.SplitSeq(field, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(member), "=")
		if key != "sha-256" || len(value) != 46 || value[0] != ':' || value[45] != ':' {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(value[1:45])
		if err == nil && len(b) == 32 {
			return [32]byte(b), true
		}
	}
	return sum, false
}

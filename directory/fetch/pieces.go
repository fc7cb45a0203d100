package fetch

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ferrygo/ferry"
)

// PieceLength is the number of bytes of a piece. The last piece may be shorter.
const PieceLength = 1 << 20

// maxFileSize bounds the files that have piece lists: 256 GiB, whose list takes 8 MiB of
// memory.
const maxFileSize = 256 << 30

// Pieces are the digests of a file: of the whole, and of each piece. The list of NAME is
// served as /pieces/NAME, as lines of text that each end with a line feed:
//
//	SIZE 1048576 SHA256      of the whole; SIZE in bytes, SHA256 in hexadecimal digits
//	SHA256                   of the first piece
//	SHA256                   of the second piece ...
//
// An empty file has no piece.
type Pieces struct {
	Size   int64
	SHA256 [32]byte
	Sums   [][32]byte
}

// pieceCount returns how many pieces a file has.
func pieceCount(size int64) int { return int((size + PieceLength - 1) / PieceLength) }

// length is the length of piece i.
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

// ReadPieces reads a list. It fails with an error that wraps [ErrResponse] if the list
// is malformed, or is the list of a file of more than 256 GiB.
func ReadPieces(r io.Reader) (*Pieces, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 256), 256)
	p, err := readPiecesHeader(lines)
	if err != nil {
		return nil, err
	}
	// The list grows with what arrives, and not to what the first line announces.
	for range pieceCount(p.Size) {
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
	if !lines.Scan() && lines.Err() != nil {
		return nil, lines.Err()
	}
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
		return sum, fmt.Errorf("%w: a piece list that ends early", ErrResponse)
	}
	if !parseSum(&sum, lines.Text()) {
		return sum, fmt.Errorf("%w: a piece list with a malformed digest", ErrResponse)
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

// sum is the digest of the pieces' digests. Equal lists have equal sums.
func (p *Pieces) sum() (sum [32]byte) {
	h := sha256.New()
	for i := range p.Sums {
		h.Write(p.Sums[i][:])
	}
	h.Sum(sum[:0])
	return sum
}

// Digest reads the first size bytes of r and returns their digests. It fails with
// ferry.ErrTooLarge for a file of more than 256 GiB, and ends early with ctx's cause.
func Digest(ctx context.Context, r io.ReaderAt, size int64) (*Pieces, error) {
	p := &Pieces{Size: size}
	if size > maxFileSize {
		return nil, ferry.ErrTooLarge
	}
	whole := sha256.New()
	bufs := [2][]byte{make([]byte, min(size, PieceLength)), make([]byte, min(size, PieceLength))}
	written := make(chan struct{}, 1)
	written <- struct{}{}
	for i := range pieceCount(size) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		b := bufs[i%2][:p.length(i)]
		if n, err := r.ReadAt(b, int64(i)*PieceLength); n < len(b) {
			return nil, err
		}
		<-written
		go func() { // the whole and the piece at the same time
			whole.Write(b)
			written <- struct{}{}
		}()
		p.Sums = append(p.Sums, sha256.Sum256(b))
	}
	<-written
	whole.Sum(p.SHA256[:0])
	return p, nil
}

// etag is the strong validator of the file at a peer (RFC 9110, section 8.8.3).
func (p *Pieces) etag() string { return `"` + hex.EncodeToString(p.SHA256[:]) + `"` }

// parseReprDigest finds a SHA-256 in a Repr-Digest field (RFC 9530, section 3).
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

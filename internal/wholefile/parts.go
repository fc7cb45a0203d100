package wholefile

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tag is the tag of [ResumeTagged] for a file with a digest and a size. A part of a file
// of another size is another part.
func Tag(digest [32]byte, size int64) string { return fmt.Sprintf("%x.%d", digest[:8], size) }

// isPart reports whether a name is that of a part with a [Tag].
func isPart(name string) bool {
	name, ok := strings.CutSuffix(name, tempSuffix)
	dot := strings.LastIndexByte(name, '.')
	if !ok || dot < 0 {
		return false
	}
	if _, err := strconv.ParseInt(name[dot+1:], 10, 64); err != nil {
		return false
	}
	const digits = 16
	i := dot - digits
	return i > 1 && name[i-1] == '.' && strings.Trim(name[i:dot], "0123456789abcdef") == ""
}

// Limits bound the parts that are kept in a directory. A negative value means no limit.
type Limits struct {
	Number int
	Age    time.Duration
	// Bytes bounds the sum of their lengths. 0 means a tenth of what the disk has room for
	// without them.
	Bytes int64
}

// A part is a temporary file that was kept.
type part struct {
	name string
	size int64
	time time.Time
}

// Prune removes the parts in root that exceed the limits: those that are too old; then the
// shortest, until there are few enough, so that many short ones do not displace a long
// one; then the oldest, until they take little enough room. A part in use stays.
func Prune(root *os.Root, l Limits, now time.Time) {
	var parts []part
	var sum int64
	for _, name := range list(root) {
		info, err := root.Lstat(name)
		if err != nil || !info.Mode().IsRegular() || !isPart(name) {
			continue
		}
		if l.Age >= 0 && now.Sub(info.ModTime()) > l.Age && remove(root, name) {
			continue
		}
		parts = append(parts, part{name, info.Size(), info.ModTime()})
		sum += info.Size()
	}
	number := len(parts)
	prune := func(excess func() bool, order func(a, b part) int) {
		slices.SortFunc(parts, order)
		parts = slices.DeleteFunc(parts, func(p part) bool {
			if !excess() || !remove(root, p.name) {
				return false
			}
			number--
			sum -= p.size
			return true
		})
	}
	if l.Number >= 0 {
		prune(func() bool { return number > l.Number }, func(a, b part) int { return cmp.Compare(a.size, b.size) })
	}
	if l.Bytes == 0 {
		free, known := Free(root)
		if !known {
			return
		}
		l.Bytes = (free + sum) / 10
	}
	if l.Bytes >= 0 {
		prune(func() bool { return sum > l.Bytes }, func(a, b part) int { return a.time.Compare(b.time) })
	}
}

package wholefile

import (
	"os"
	"strings"
	"time"
)

// abandoned is how old a temporary file must be where there are no locks that tell
// whether its process is still there.
const abandoned = 24 * time.Hour

// Collect removes the temporary files that [Create] made in root, for name or for all names
// if name is empty, and whose process has ended without removing them. A temporary file in
// use is locked. Where the system or the file system has no locks, a temporary file is
// removed when nothing has been written to it for a day.
func Collect(root *os.Root, name string) {
	prefix := "."
	if name != "" {
		prefix = "." + cut(name, maxName-len("..")-randomLen-len(tempSuffix)) + "."
	}
	for _, temp := range list(root) {
		if strings.HasPrefix(temp, prefix) && isRandomTemp(temp) {
			remove(root, temp)
		}
	}
}

// list returns the names in a directory that look like those of temporary files.
func list(root *os.Root) (names []string) {
	d, err := root.Open(".")
	if err != nil {
		return nil
	}
	defer d.Close()
	for {
		some, err := d.Readdirnames(1000)
		for _, name := range some {
			if strings.HasPrefix(name, ".") && strings.HasSuffix(name, tempSuffix) {
				names = append(names, name)
			}
		}
		if err != nil {
			return names
		}
	}
}

// isRandomTemp reports whether a name is one that tempName makes.
func isRandomTemp(name string) bool {
	name, ok := strings.CutSuffix(name, tempSuffix)
	i := len(name) - randomLen
	return ok && i > 1 && name[i-1] == '.' && strings.Trim(name[i:], randomDigits) == ""
}

// remove removes a temporary file unless it is in use. It reports whether it did.
func remove(root *os.Root, temp string) bool {
	info, err := root.Lstat(temp)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := root.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	switch lock(file) {
	case nil:
	case errNoLocks:
		if time.Since(info.ModTime()) < abandoned {
			return false
		}
	default:
		return false
	}
	if now, err := file.Stat(); err != nil || !os.SameFile(now, info) {
		return false
	}
	return root.Remove(temp) == nil
}

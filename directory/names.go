package directory

import "github.com/ferrygo/ferry/internal/wholefile"

// names holds each file name once, whoever has such a file, by number.
type names struct {
	ids     map[string]uint32
	records []nameRecord
	free    []uint32
}

// A nameRecord is one name: its text, and the ring of the entries that have it.
type nameRecord struct {
	text  string
	head  uint32
	count uint32
}

func (n *names) record(id uint32) *nameRecord { return &n.records[id] }

// intern returns the number of a name, a new one if need be.
func (n *names) intern(text string) uint32 {
	id, ok := n.ids[text]
	if ok {
		return id
	}
	if k := len(n.free); k > 0 {
		id, n.free = n.free[k-1], n.free[:k-1]
	} else {
		id = uint32(len(n.records))
		n.records = append(n.records, nameRecord{})
	}
	n.records[id] = nameRecord{text: text}
	n.ids[text] = id
	return id
}

// forget frees the number of a name that nobody has any more.
func (n *names) forget(id uint32) {
	delete(n.ids, n.records[id].text)
	n.records[id] = nameRecord{}
	n.free = append(n.free, id)
}

// parseNames decodes the file names of an update, each followed by a space. A name that
// comes twice counts once. It fails if there are more than most, or one is not a name
// that a file may have on every system.
func parseNames(files []byte, most int) ([]string, Code, bool) {
	var list []string
	seen := make(map[string]struct{})
	for len(files) > 0 {
		var word []byte
		word, files = nextWord(files)
		name, code, ok := parseName(word)
		if !ok {
			return nil, code, false
		}
		if _, twice := seen[name]; twice {
			continue
		}
		if len(list) >= most {
			return nil, CodeTooLong, false
		}
		seen[name] = struct{}{}
		list = append(list, name)
	}
	return list, 0, true
}

// parseName decodes one file name.
func parseName(word []byte) (string, Code, bool) {
	name, err := parseField(word)
	if err != nil || wholefile.CheckName(name) != nil {
		return "", CodeMalformed, false
	}
	return name, 0, true
}

// Package wholefile makes files that appear under their name only when they are whole. The
// data goes to a temporary file in the same directory, and [File.Commit] gives it the
// name:
//
//	f, err := wholefile.Create(root, name, 0o644)
//	_, err = f.Write(data)
//	err = f.Commit(replace) // or f.Abort()
//
// A reader of the directory never sees a part of a file under the name, and neither does
// anyone after a crash of the program or of the machine, or when the disk is full.
//
// # Temporary files
//
//   - .NAME.RANDOM.part is made by [Create]. It is locked while it is written. If its
//     process is killed it stays; [Collect] removes it.
//   - .NAME.TAG.part, or .NAME.part, is made by [Resume] and kept by [File.Keep] or by a
//     crash. The next Resume goes on with it. [Prune] bounds how many there are, how old
//     they are, and how much room they take.
//
// # Choices
//
// Everything goes through an [os.Root]. No name is followed out of it: a symbolic link in
// the way is replaced or refused like any other file, and never written through. A
// temporary file that somebody replaced is not committed, and one that has a second name
// is not resumed.
//
// A name that comes from the network is a file name and not a path. [Names] has the rules.
// A name that the user of this machine chose may be any name.
//
// A file that replaces another keeps that one's permissions and, where permitted, its
// owner. The owner of a new file can read and write it.
//
// [File.Commit] writes the file and the directory to the disk before it returns. That costs
// milliseconds for each file, and allows a receiver to say that it has the file.
package wholefile

// Package wholefile makes files that appear under their name only whole: what is
// written goes to a temporary file beside, and gets the name by [File.Commit].
//
// A reader of the directory, a crash of the program or of the machine, a full disk:
// none of them ever sees half a file under the name. After a crash a temporary file
// (.NAME.RANDOM.part) may be left, which nothing here ever reads or removes; but
// [Resume] goes on with one (.NAME.part) that was left on purpose or by a crash.
//
// Everything goes through an [os.Root], and no name is ever followed out of it: a
// symbolic link in the way is replaced or refused like any other file, and never
// written through.
//
// # Choices
//
// A name from the network is a file name, never a path: nothing here makes a directory,
// and a peer cannot put a file anywhere but in the one directory that was chosen for
// it. What [CheckName] refuses it refuses on every system.
//
// [File.Commit] writes the file and the directory to the disk before it returns. That
// costs milliseconds a file, and is what allows a receiver to say that it has the file.
package wholefile

package wholefile

// Supersede puts f in the place of old: what [Resume] finds under old's name from now on
// is f. What old held is gone. Both are files of one directory that Resume or
// ResumeTagged opened. old is closed, also after an error.
func (f *File) Supersede(old *File) error {
	if err := old.Keep(); err != nil {
		return err
	}
	if err := f.dir.Rename(f.temp, old.temp); err != nil {
		return err
	}
	f.temp = old.temp
	return nil
}

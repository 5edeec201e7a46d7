"""What its error says can be no C string, nor UTF-8: a file name can hold such bytes."""
raise ValueError("the folder caf\udce9 and \0 are")

package health

// CheckAnswer is for the fuzz test.
var CheckAnswer = checkAnswer

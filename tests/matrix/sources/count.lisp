(let ((counts (make-hash-table :test 'equal)))
  (dotimes (i 3000) (incf (gethash (format nil "word~d" (mod (* i 7) 300)) counts 0)))
  (format t "~d words~%" (hash-table-count counts)))

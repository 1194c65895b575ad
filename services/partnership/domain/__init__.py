"""What a programme, a declaration and a matching are: values in, values out."""
